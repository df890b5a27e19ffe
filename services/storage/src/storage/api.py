"""The HTTP routes over the same use cases. A team's own caller acts for its team alone."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from outrider_chassis.callers import Caller, Role
from outrider_chassis.http import CurrentCaller, require
from outrider_contracts.holdings import (
    Environments,
    FreezeRequest,
    Frozen,
    HoldRequest,
    Pending,
    RestoreRequest,
    Touched,
)
from outrider_contracts.http import (
    Credentials,
    CredentialsRequest,
    EnsureRequest,
    Environment,
    NotReady,
    OutputAnswer,
    OutputRequest,
    SealRequest,
    SealResult,
)

from storage.cases import ensure, look, people, seal, show
from storage.cases.take import keep_refusal
from storage.cases.work import Work
from storage.domain.refusals import Refused, Waiting


def routes(work: Work) -> APIRouter:
    """Every route of the service."""
    router = APIRouter(prefix="/v1")

    @router.post("/environments/ensure", response_model=Environment, responses={202: {"model": NotReady}})
    async def ensure_(request: EnsureRequest, caller: CurrentCaller) -> Environment:
        require(caller, Role.operator, request.task.team)
        return await ensure.ensure(work, request)

    @router.post("/environments/seal", responses={202: {"model": NotReady}})
    async def seal_(request: SealRequest, caller: CurrentCaller) -> SealResult:
        require(caller, Role.operator, request.task.team)
        try:
            return await seal.seal(work, request, work.database.begin)
        except Refused as refusal:
            await keep_refusal(work, request.task, request.run_started_at, refusal)
            raise

    @router.post("/environments/credentials")
    async def credentials(request: CredentialsRequest, caller: CurrentCaller) -> Credentials | None:
        require(caller, Role.operator, request.task.team)
        return await people.renew(work, request)

    @router.post("/outputs/sealed", responses={202: {"model": NotReady}})
    async def sealed(request: OutputRequest, caller: CurrentCaller) -> OutputAnswer:
        require(caller, Role.operator, request.reader.team)
        return await look.sealed(work, request)

    @router.get("/environments")
    async def environments(
        caller: CurrentCaller,
        team: str,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        seen_by: Annotated[str | None, Query(description="as this team would see it")] = None,
    ) -> Environments:
        require(caller, Role.viewer, team)
        return await show.environments(work, team, dag_id, run_id, task_id, caller.team or seen_by)

    @router.get("/pending")
    async def pending(caller: CurrentCaller, team: Annotated[str | None, Query()] = None) -> Pending:
        chosen = team or caller.team
        require(caller, Role.viewer, chosen)
        return await show.pending(work, chosen, caller.team)

    @router.post("/holds")
    async def holds(request: HoldRequest, caller: CurrentCaller) -> Touched:
        await _may_touch(caller, request.path)
        return Touched(paths=tuple(await people.hold(work, request, caller.subject)))

    @router.post("/restore")
    async def restore(request: RestoreRequest, caller: CurrentCaller) -> Touched:
        await _may_touch(caller, request.path)
        return Touched(paths=tuple(await people.restore(work, request.path, caller.subject)))

    @router.post("/freeze")
    async def freeze(request: FreezeRequest, caller: CurrentCaller) -> Frozen:
        require(caller, Role.administrator)
        return await people.freeze(work, request, caller.subject)

    async def _may_touch(caller: Caller, path: str) -> None:
        if caller.team is not None and path.strip().lstrip("/").split("/")[0] != caller.team:
            require(caller, Role.operator)  # another team's path answers the same whether it is there or not
        require(caller, Role.operator, await people.team_at(work, path))

    return router


def refused(refusal: Refused) -> JSONResponse:
    """A business no: 409, or 404 where nothing of the kind is there."""
    status = 404 if refusal.reason == "unknown-path" else 409
    problem = {"code": refusal.reason, "message": refusal.message, "fix": refusal.fix}
    return JSONResponse({"error": problem}, status)


def waiting(wait: Waiting) -> JSONResponse:
    """Not yet: 202, and when to ask again."""
    answer = NotReady(
        waiting_for=wait.waiting_for, retry_after_seconds=wait.retry_after_seconds, input=wait.awaited, until=wait.until
    )
    return JSONResponse(answer.model_dump(mode="json"), 202)
