"""Which version an input is: a function of what is known, whatever the order it became known in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from outrider_contracts.declarations import InputDeclaration, parse_declaration
from outrider_contracts.environments import VersionKey
from outrider_contracts.keys import TaskKey
from storage.domain.attempts import Wanted
from storage.domain.diagnosis import missing_input, put_off, rebuild
from storage.domain.refusals import Refused, Waiting
from storage.domain.resolution import Candidate, plan_parts, producing_run

START = datetime(2026, 11, 1, tzinfo=UTC)
SAME = InputDeclaration(task="extract", output="orders")
LATEST = InputDeclaration(task="extract", output="orders", dag="daily")


def wanted(day: int = 0) -> Wanted:
    at = START + timedelta(days=day)
    task = TaskKey(team="ads", dag_id="daily", run_id="r1", task_id="report")
    return Wanted(task, at, at, at, parse_declaration("report"), 1)


def candidate(
    day: int = 0, tried: int = 1, *, index: int = -1, state: str = "sealed", present: bool = True
) -> Candidate:
    task = {"team": "ads", "dag_id": "daily", "run_id": f"r{day}", "task_id": "extract", "map_index": index}
    version = VersionKey.model_validate({**task, "output": "orders", "generation": tried})
    at = START + timedelta(days=day)
    return Candidate(
        version, f"p{day}/{index}/g{tried}/", at, tried, at, at, state, present,  # type: ignore[arg-type]
        "sealed", "3d", "reason",
    )  # fmt: skip


@given(st.permutations([candidate(day, tried) for day in range(3) for tried in (1, 2)]))
def test_the_newest_run_not_after_the_reader_and_its_last_try_win_in_any_order(known: list[Candidate]) -> None:
    runs = producing_run(wanted(1), LATEST, known)
    parts = plan_parts([c for c in known if c.version.run == runs[0]], None)

    assert [run.run_id for run in runs] == ["r1", "r0"]
    assert parts is not None
    assert [part.path for part in parts] == ["p1/-1/g2/"]


def test_a_later_try_that_failed_or_is_gone_does_not_hide_the_sealed_one() -> None:
    for later in (candidate(tried=2, present=False), candidate(tried=2, state="doomed")):
        parts = plan_parts([candidate(tried=1), later], None)

        assert parts is not None
        assert parts[0].version.generation == 1


def test_every_part_airflow_holds_must_be_there() -> None:
    parts = [candidate(index=0), candidate(index=1)]

    assert plan_parts(parts, (0, 1, 2)) is None
    assert len(plan_parts(parts, (0, 1)) or ()) == 2
    assert [part.version.map_index for part in plan_parts(parts, (1,)) or ()] == [1]
    assert plan_parts([], ()) == ()
    assert plan_parts([], None) is None


def test_a_seal_that_is_about_to_come_is_waited_for() -> None:
    ended = replace(candidate(state="open", present=False), attempt_state="ready", ended="success")

    assert isinstance(missing_input("orders", wanted(), SAME, [ended]), Waiting)
    assert isinstance(missing_input("orders", wanted(), SAME, [replace(ended, ended="failed")]), Refused)


def test_a_wait_may_be_longer_than_there_are_dates() -> None:
    declared = LATEST.model_copy(update={"wait": "999999w"})
    why = Refused("input-missing", "not there")

    assert isinstance(put_off(why, "orders", declared, START, START + timedelta(days=365)), Waiting)


def test_of_another_dates_versions_nothing_is_said() -> None:
    """One that was cleared yesterday is no reason why today's is missing."""
    same_date = LATEST.model_copy(update={"run": "same-date"})

    said = missing_input("orders", wanted(1), same_date, [candidate(0, state="cleared")])

    assert "no try of extract has opened it for 2026-11-02T00:00:00Z" in str(said)


def test_of_a_later_runs_versions_nothing_is_said() -> None:
    """The reader's run may not have them, whether they are there, gone, or about to come."""
    later = candidate(1)
    coming = replace(candidate(1, state="open", present=False), attempt_state="ready", ended="success")

    for known in (later, candidate(1, state="cleared"), coming):
        said = missing_input("orders", wanted(0), LATEST, [known])

        assert "no try of extract has opened it in any run up to 2026-11-01T00:00:00Z" in str(said)


def test_what_is_missing_is_rebuilt_by_clearing_its_task_in_its_run() -> None:
    command = rebuild(candidate())

    assert "clearTaskInstances" in command
    assert '"dag_run_id": "r0"' in command
