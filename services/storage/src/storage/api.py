"""The HTTP routes over the same use cases. A team's own caller acts for its team alone."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
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
    Carried,
    CarriedRequest,
    Credentials,
    CredentialsRequest,
    EnsureRequest,
    Environment,
    EnvironmentToken,
    NotReady,
    OutputAnswer,
    OutputRequest,
    SealRequest,
    SealResult,
    Standing,
    TokenRequest,
)

from storage.cases import carry, ensure, look, people, seal, show
from storage.cases.take import keep_refusal
from storage.cases.work import Work
from storage.domain.refusals import Refused, Waiting

TryToken = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer(description="from /v1/environments/token"))]
"""What a pod's stagers show: the token of one try. It opens the routes under /v1/try and no other."""


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

    @router.post("/environments/carried")
    async def carried(request: CarriedRequest, caller: CurrentCaller) -> Standing:
        require(caller, Role.operator, request.task.team)
        return await carry.carried_by_task(work, request)

    @router.post("/outputs/sealed", responses={202: {"model": NotReady}})
    async def sealed(request: OutputRequest, caller: CurrentCaller) -> OutputAnswer:
        require(caller, Role.operator, request.reader.team)
        return await look.sealed(work, request)

    @router.post("/environments/token")
    async def token(request: TokenRequest, caller: CurrentCaller) -> EnvironmentToken:
        require(caller, Role.operator, request.task.team)
        return await carry.give(work, request)

    @router.get("/try/environment")
    async def try_environment(bearer: TryToken) -> Environment:
        return await carry.environment(work, bearer.credentials)

    @router.get("/try/credentials")
    async def try_credentials(bearer: TryToken) -> Credentials | None:
        return await carry.credentials(work, bearer.credentials)

    @router.get("/try/standing")
    async def try_standing(bearer: TryToken) -> Standing:
        return await carry.standing(work, bearer.credentials)

    @router.post("/try/carried")
    async def try_carried(told: Carried, bearer: TryToken) -> Standing:
        return await carry.carried(work, bearer.credentials, told)

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


def unknown_token() -> JSONResponse:
    """Whoever asks in a try's name shows a token that is none (any more): 401."""
    message = "this token is good for no try"
    problem = {"code": "unauthenticated", "message": message, "fix": "let Airflow start another try"}
    return JSONResponse({"error": problem}, 401, {"WWW-Authenticate": "Bearer"})


def waiting(wait: Waiting) -> JSONResponse:
    """Not yet: 202, and when to ask again."""
    answer = NotReady(
        waiting_for=wait.waiting_for, retry_after_seconds=wait.retry_after_seconds, input=wait.awaited, until=wait.until
    )
    return JSONResponse(answer.model_dump(mode="json"), 202)
