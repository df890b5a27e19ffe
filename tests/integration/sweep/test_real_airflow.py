"""What the sweep says of a real Airflow: all that happened without an event, as the listener would have said it."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from outrider_chassis.airflow import AirflowApi
from outrider_contracts.airflow import AirflowEvent, RunDeleted, RunFinished, RunReopened, RunStarted, TaskFinished
from outrider_contracts.event import Event
from sweep.adapters.airflow import RestAirflow

from tests.integration.airflow.riding import SECONDS, Riding, of
from tests.integration.sweep.conftest import DAG, TEAM, Rounds

pytestmark = pytest.mark.usefixtures("riding")


def ends(facts: list[Event]) -> set[tuple[str, int, int, str]]:
    """Task, map index, try and state of every end among *facts*."""
    return {
        (f.task.task_id, f.task.map_index, f.task.try_number, f.state) for f in facts if isinstance(f, TaskFinished)
    }


def kinds(facts: list[Event]) -> list[str]:
    return [type(fact).__name__ for fact in facts if not isinstance(fact, TaskFinished)]


async def test_everything_that_ended_is_said(riding: Riding, rounds: Rounds) -> None:
    """Skips, upstream failures, a killed process, an empty operator, an overtaken try; and once only."""
    run_id = riding.ride(DAG)

    said = await rounds.said(run_id)

    assert kinds(said) == ["RunStarted", "RunFinished"]
    assert ends(said) == {
        ("good", -1, 1, "success"),
        ("each", 0, 1, "success"),
        ("each", 1, 1, "success"),
        ("killed", -1, 1, "failed"),
        ("after", -1, 0, "upstream_failed"),
        ("branch", -1, 1, "success"),
        ("taken", -1, 1, "success"),
        ("left", -1, 0, "skipped"),
        ("flaky", -1, 1, "up_for_retry"),
        ("flaky", -1, 2, "success"),
        ("empty", -1, 1, "success"),
    }
    assert {fact.team_id() for fact in said} == {TEAM}
    assert await rounds.said(run_id) == []


async def test_what_the_listener_said_too_has_the_same_id(riding: Riding, rounds: Rounds) -> None:
    """So a reader takes both for one fact; what only the sweep says is what no hook of Airflow's hears."""
    run_id = riding.ride(DAG)

    said = await rounds.said(run_id)

    def enough(facts: list[AirflowEvent]) -> bool:
        return bool(of(RunFinished, facts)) and len({fact.id for fact in of(TaskFinished, facts)}) >= 7

    told = {fact.id for fact in riding.hear(run_id, enough, seconds=SECONDS)}
    assert {fact.id for fact in said if isinstance(fact, RunStarted | RunFinished)} <= told
    unheard = ends([fact for fact in said if fact.id not in told])
    assert {task for task, *_ in unheard} == {"killed", "after", "left", "empty"}


async def test_a_cleared_run_is_told_as_reopened(riding: Riding, rounds: Rounds) -> None:
    """With the clear number Airflow has for it, and the new try's end."""
    run_id = riding.ride(DAG)
    await rounds.said(run_id)
    riding.user.clear(DAG, run_id, "taken")
    riding.await_end(DAG, run_id)

    said = await rounds.said(run_id)

    assert kinds(said) == ["RunReopened", "RunFinished"]
    (reopened, finished) = (fact for fact in said if isinstance(fact, RunReopened | RunFinished))
    assert (reopened.clear_number, finished.clear_number) == (1, 1)
    assert riding.sql(f"SELECT clear_number FROM dag_run WHERE run_id = '{run_id}'") == "1"
    assert ("taken", -1, 2, "success") in ends(said)
    own = {reopened.id, finished.id}
    heard = riding.hear(run_id, lambda facts: own <= {fact.id for fact in facts}, seconds=SECONDS)
    assert own <= {fact.id for fact in heard}


async def test_a_deleted_run_is_told_after_two_looks(riding: Riding, rounds: Rounds) -> None:
    """Its rows are gone from Airflow; the sweep remembers that there was one."""
    run_id = riding.ride(DAG)
    (started,) = [fact for fact in await rounds.said(run_id) if isinstance(fact, RunStarted)]
    riding.user.delete_run(DAG, run_id)

    assert await rounds.said(run_id) == []
    (deleted,) = await rounds.said(run_id)
    assert isinstance(deleted, RunDeleted)
    assert deleted.run_started_at == started.run_started_at
    assert await rounds.said(run_id) == []


async def test_what_somebody_had_airflow_delete_stands_in_its_log(riding: Riding, api: AirflowApi) -> None:
    """One by one, or many with one request; also where nothing came of it."""
    since = datetime.now(UTC) - timedelta(seconds=30)
    with pytest.raises(httpx.HTTPStatusError):
        riding.user.delete_run(DAG, "gone-1")
    many: list[object] = ["gone-2", {"dag_run_id": "gone-3"}]
    action = {"action": "delete", "action_on_non_existence": "skip", "entities": many}
    riding.user._ask("PATCH", f"/api/v2/dags/{DAG}/dagRuns", {"actions": [action]})

    found = await RestAirflow(api).deletions(since, "")

    assert {(DAG, f"gone-{number}") for number in (1, 2, 3)} <= {*found.items}
    assert (await RestAirflow(api).deletions(found.at + timedelta(seconds=30), "")).items == ()


async def test_a_run_created_again_under_its_id_is_told_as_another(riding: Riding, rounds: Rounds) -> None:
    """Deleted and triggered again between two rounds: the old one is gone, the new one is none of it."""
    run_id = riding.ride(DAG, "again")
    await rounds.said(run_id)
    riding.user.delete_run(DAG, run_id)
    riding.ride(DAG, run_id)

    assert kinds(await rounds.said(run_id)) == ["RunDeleted", "RunStarted", "RunFinished"]


async def test_airflow_is_asked_before_anything_is_believed(riding: Riding, api: AirflowApi) -> None:
    """None and nothing are answered only where Airflow itself says so."""
    run_id = riding.ride(DAG, "a:b+c~d.e")

    run = await api.run(DAG, run_id)
    tasks = {(task.task_id, task.map_index) async for task in api.task_instances(DAG, run_id)}

    assert run is not None
    assert (run.run_id, run.ended, run.dag_version and run.dag_version.bundle_name) == (run_id, True, TEAM)
    assert len(tasks) == 10
    assert [task.try_number for task in await api.tries(DAG, run_id, "flaky")] == [1, 2]
    assert await api.run(DAG, "nope") is None
    assert await api.run(DAG, "..") is None
    assert [task async for task in api.task_instances(DAG, "nope")] == []
    assert await api.tries(DAG, run_id, "nope") == ()
