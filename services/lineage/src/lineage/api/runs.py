"""Questions about runs: how they went, what exactly each try read and wrote."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from outrider_chassis.http import Caller, CurrentCaller, ProblemError, Role, require
from outrider_contracts.holdings import MOST_OF_A_RUN
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.names import TeamId
from outrider_contracts.runs import RunAnswer, RunsAnswer, TryAnswer

from lineage.api.answers import ReportedRunAnswer
from lineage.api.asking import Asking, SeenBy
from lineage.api.spelling import reported_answer, run_answer, start_answer, try_answer
from lineage.domain.history import ReportedRun, RunHistory

Limit = Annotated[int, Query(ge=1, le=MOST_OF_A_RUN, description="runs, or tries of a run, at most")]
Name = Annotated[str, Query(min_length=1, max_length=250)]


def run_routes(asking: Asking) -> APIRouter:
    """The routes under /v1/runs."""
    routes = APIRouter(prefix="/v1", tags=["runs"])

    @routes.get("/runs")
    async def runs(
        caller: CurrentCaller, team: TeamId, dag_id: str = "", run_id: str = "", limit: Limit = 1000,
        readers: Annotated[bool, Query(description="tell who reads what the run wrote, too")] = False,
        seen_by: SeenBy = None,
    ) -> RunAnswer | RunsAnswer:  # fmt: skip
        """With run_id one run and its tries; without it the newest runs of the DAG, or of the team."""
        require(caller, Role.viewer, team)
        if run_id and dag_id:
            run = RunKey(team=team, dag_id=dag_id, run_id=run_id)
            read_by = await asking.readers.of_run(run, limit) if readers else []
            return run_answer(await _run(run, limit), await asking.viewer(caller, seen_by), read_by)
        found = await asking.history.newest_runs(team, dag_id, min(limit, 200))
        return RunsAnswer(runs=[start_answer(run) for run in found])

    @routes.get("/runs/{openlineage_run_id}")
    async def by_id(
        caller: CurrentCaller, openlineage_run_id: UUID, limit: Limit = 1000
    ) -> RunAnswer | TryAnswer | ReportedRunAnswer:
        """What an OpenLineage run id stands for: a run with its tries, one try, or a run a team's job reported."""
        viewer = await asking.viewer(caller)
        found = await asking.history.identify(openlineage_run_id)
        if found is None or not caller.may_act_for(found.team):
            raise _unknown(f"OpenLineage run {openlineage_run_id}", caller)
        if isinstance(found, ReportedRun):
            return reported_answer(found)
        history = await _run(found.run, limit)
        if isinstance(found, TryKey):
            tries = [one for one in history.tries if one.task == found]
            meant = next((one for one in tries if one.ol_run_id == openlineage_run_id), None)
            if meant or tries:
                return try_answer(meant or tries[-1], viewer)
        return run_answer(history, viewer)

    async def _run(run: RunKey, limit: int) -> RunHistory:
        history = await asking.history.run(run, limit)
        if history is None:
            raise _unknown(f"run {run.record_key}", None)
        return history

    return routes


def _unknown(what: str, caller: Caller | None) -> ProblemError:
    whose = f" to {caller.subject}" if caller else ""
    fix = "GET /v1/runs?team=…&dag_id=… lists the newest; a run is known a moment after Airflow started it."
    return ProblemError(404, "unknown-run", f"no {what} is known{whose}.", fix)
