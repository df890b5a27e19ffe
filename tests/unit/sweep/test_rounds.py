"""Whole rounds over an Airflow in memory: what is said, once, and what never is."""

from datetime import UTC, datetime, timedelta

import pytest
from outrider_bus.ports import StaleEpochError, UnavailableError
from outrider_contracts.airflow import RunDeleted, RunFinished, RunReopened, RunStarted, TaskFinished
from outrider_contracts.event import Event
from sweep.domain.seen import KnownRun, Outcome, RunId, SeenRun, Whose

from tests.unit.sweep.world import World, at, seen_run, seen_task


def ends(facts: list[Event]) -> set[tuple[str, int, int, str]]:
    """Task, map index, try and state of every end among *facts*."""
    return {
        (f.task.task_id, f.task.map_index, f.task.try_number, f.state) for f in facts if isinstance(f, TaskFinished)
    }


def kinds(facts: list[Event]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


@pytest.fixture
def world() -> World:
    return World()


async def test_ends_without_an_event_are_said_once(world: World) -> None:
    """Skips, upstream failures and killed processes are in no listener; reading them again says nothing."""
    world.airflow.put(
        seen_run(),
        seen_task("killed", "failed"),
        seen_task("after", "upstream_failed", try_number=0),
        seen_task("branched", "skipped", try_number=0),
        seen_task("empty", "success"),
        seen_task("each", "success", map_index=0),
        seen_task("each", "failed", map_index=1),
        seen_task("still", "running", ended=None),
    )

    assert ends(await world.said(20)) == {
        ("killed", -1, 1, "failed"),
        ("after", -1, 0, "upstream_failed"),
        ("branched", -1, 0, "skipped"),
        ("empty", -1, 1, "success"),
        ("each", 0, 1, "success"),
        ("each", 1, 1, "failed"),
    }
    assert await world.said(22) == []


async def test_a_removed_task_is_told_though_it_never_says_when(world: World) -> None:
    """Airflow gives removed tasks no end; the time that stands in is the same at every reading."""
    world.airflow.put(seen_run(), seen_task("gone", "removed", started=None, ended=None))

    assert ends(await world.said(20)) == {("gone", -1, 1, "removed")}
    assert await world.said(22) == []


async def test_tries_that_were_overtaken_are_said_too(world: World) -> None:
    """REST lists only the newest try; what its history calls failed was up for retry."""
    world.airflow.put(seen_run(), seen_task("flaky", "failed", max_tries=1))
    world.airflow.put(seen_task("flaky", "success", try_number=2, max_tries=1, started=5, ended=6))

    assert ends(await world.said(20)) == {("flaky", -1, 1, "up_for_retry"), ("flaky", -1, 2, "success")}


async def test_tries_from_long_before_a_clear_are_not_told_again(world: World) -> None:
    """By then it is forgotten that they were told; but they were read when they were the newest."""
    world.airflow.put(seen_run("success", ended=9), seen_task("load", "success"))
    await world.said(20)
    await world.said(3000)
    world.notebook.forget_ends()
    world.airflow.clock = at(4001)
    world.airflow.put(seen_run("success", queued=3999, started=4000, ended=4005))
    world.airflow.put(seen_task("load", "success", try_number=2, started=4001, ended=4002))

    assert ends(await world.said(4020)) == {("load", -1, 2, "success")}


async def test_tries_that_ended_and_were_cleared_while_the_sweep_was_away_are_told(world: World) -> None:
    world.airflow.put(seen_run(started=0), seen_task("still", "running", ended=None))
    await world.said(20)
    world.airflow.put(seen_run("success", queued=3999, started=4000, ended=4005))
    world.airflow.clock = at(50)
    world.airflow.put(seen_task("load", "failed", started=40, ended=50))
    world.airflow.clock = at(4001)
    world.airflow.put(seen_task("load", "success", try_number=2, started=4001, ended=4002))

    assert ends(await world.said(4020)) == {("load", -1, 1, "failed"), ("load", -1, 2, "success")}


async def test_an_end_is_left_to_the_listener_for_a_while(world: World) -> None:
    """Unless there is none to tell: a task that never began runs in no process."""
    world.airflow.put(seen_run(), seen_task("killed", "failed"), seen_task("after", "upstream_failed", try_number=0))

    assert ends(await world.said(5)) == {("after", -1, 0, "upstream_failed")}
    assert ends(await world.said(12)) == {("killed", -1, 1, "failed")}


async def test_a_lost_try_is_told_though_the_next_one_was_heard(world: World) -> None:
    """What the listener said of try 2 says nothing of try 1."""
    world.notebook.hear(("daily", "r1", "flaky", -1, 2, "success", at(6)))
    world.airflow.put(seen_run(), seen_task("flaky", "failed", max_tries=1))
    world.airflow.put(seen_task("flaky", "success", try_number=2, max_tries=1, started=5, ended=6))

    assert ends(await world.said(20)) == {("flaky", -1, 1, "up_for_retry")}
    assert ends(await world.said(22)) == set()


async def test_an_end_told_at_the_last_of_all_moments_stops_nothing(world: World) -> None:
    """There is no moment after it to say the truth at; of other tasks it is said."""
    last = datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1)
    world.notebook.hear(("daily", "r1", "odd", -1, 0, "skipped", last))
    world.airflow.put(seen_run(), seen_task("odd", "upstream_failed", try_number=0), seen_task("plain", "success"))

    assert ("plain", -1, 1, "success") in ends(await world.said(20))


async def test_what_a_process_says_of_its_end_does_not_stand_against_airflow(world: World) -> None:
    """Marked by hand while it ran, it still says that it succeeded: Airflow's word is said again, as the latest."""
    world.airflow.put(seen_run(), seen_task("load", "failed"))
    world.notebook.hear(("daily", "r1", "load", -1, 1, "failed", at(2)))
    assert ends(await world.said(12)) == set()
    world.notebook.hear(("daily", "r1", "load", -1, 1, "success", at(14)))

    (corrected,) = await world.said(200)

    assert isinstance(corrected, TaskFinished)
    assert (corrected.state, corrected.finished_at) == ("failed", at(14) + timedelta(microseconds=1))
    assert await world.said(400) == []


async def test_an_end_heard_late_is_no_last_word_either(world: World) -> None:
    """It lay in a spool: its time is older than what was said since, but a reader may go by the order of telling."""
    world.airflow.put(seen_run(), seen_task("load", "failed", ended=5))
    assert ends(await world.said(20)) == {("load", -1, 1, "failed")}
    world.notebook.hear(("daily", "r1", "load", -1, 1, "success", at(3)))

    assert ends(await world.said(22)) == {("load", -1, 1, "failed")}


async def test_a_failure_that_its_process_told_is_not_said_again(world: World) -> None:
    """Airflow writes it down a little later, once the process is gone."""
    world.airflow.put(seen_run(), seen_task("load", "failed", ended=9))
    world.notebook.hear(("daily", "r1", "load", -1, 1, "failed", at(4)))

    assert ends(await world.said(30)) == set()


async def test_a_final_failure_stays_final_when_it_is_cleared(world: World) -> None:
    """Airflow's history calls it failed and says that tries were left, for whoever gave up before."""
    world.notebook.hear(("daily", "r1", "load", -1, 1, "failed", at(2)))
    world.airflow.put(seen_run(), seen_task("load", "failed", max_tries=3))
    world.airflow.put(seen_task("load", "success", try_number=2, max_tries=4, started=5, ended=6))

    assert ends(await world.said(20)) == {("load", -1, 2, "success")}


async def test_a_task_skipped_by_its_runs_time_limit_is_told_though_it_never_says_when(world: World) -> None:
    world.airflow.put(
        seen_run(), seen_task("late", "skipped", ended=None), seen_task("x", "skipped", started=None, ended=None)
    )

    assert ends(await world.said(20)) == {("late", -1, 1, "skipped"), ("x", -1, 1, "skipped")}
    assert await world.said(22) == []


async def test_clears_of_a_run_that_goes_on_are_counted(world: World) -> None:
    """Airflow queues it anew each time, and keeps its start."""
    world.airflow.put(seen_run())
    await world.said(11)
    for queued in (12, 14):
        world.airflow.put(seen_run(queued=queued))
        assert await world.said(queued + 1) == []
    world.airflow.put(seen_run("success", queued=14, ended=20))

    (finished,) = await world.said(31)

    assert isinstance(finished, RunFinished)
    assert finished.clear_number == 2


async def test_a_clear_that_was_heard_of_is_not_counted_again(world: World) -> None:
    """A try that began since said the number; it may count clears that came too close to be seen."""
    known = KnownRun("daily", "r1", Whose("ads", "bundle"), at(0), clear_number=3, counted_to=at(15))
    await world.notebook.write(Outcome(known=(known,)))
    world.airflow.put(seen_run("success", queued=14, ended=20))

    (finished,) = await world.said(31)

    assert isinstance(finished, RunFinished)
    assert finished.clear_number == 3


async def test_a_start_is_left_to_the_listener_for_a_while(world: World) -> None:
    """It knows the clear number and REST does not; after ten seconds nobody will tell any more."""
    world.airflow.put(seen_run())

    assert kinds(await world.said(5)) == []
    assert kinds(await world.said(11)) == ["RunStarted"]


async def test_a_run_that_nobody_told_of_is_told_whole(world: World) -> None:
    """Its start comes before its end."""
    world.airflow.put(seen_run("success", ended=9))

    started, finished = await world.said(19)

    assert isinstance(started, RunStarted)
    assert isinstance(finished, RunFinished)
    assert (started.run.team, started.team_rule, started.run_started_at) == ("ads", "bundle", at(0))
    assert (finished.state, finished.finished_at, finished.clear_number) == ("success", at(9), 0)


async def test_what_others_told_is_not_told_again(world: World) -> None:
    """The listener said the start; only the end is missing."""
    await world.notebook.write(Outcome(known=(KnownRun("daily", "r1", Whose("ads", "multi-team"), at(0)),)))
    end = ("daily", "r1", "load", -1, 1, "success", at(2))
    world.notebook.hear(end)
    world.airflow.put(seen_run("failed", ended=9), seen_task("load", "success"))

    assert kinds(await world.said(19)) == ["RunFinished"]
    assert kinds(await world.said(21)) == []


async def test_a_cleared_run_is_reopened_under_the_next_clear_number(world: World) -> None:
    """Airflow moved its start and kept its past: it is the same run."""
    world.airflow.put(seen_run("success", ended=9), seen_task("load", "success"))
    await world.said(19)
    world.airflow.clock = at(31)
    world.airflow.put(seen_run("running", queued=29, started=30), seen_task("load", None))

    reopened, *rest = await world.said(41)

    assert isinstance(reopened, RunReopened)
    assert (reopened.clear_number, reopened.run_started_at) == (1, at(30))
    assert rest == []
    world.airflow.put(seen_run("success", queued=29, started=30, ended=42))
    assert kinds(await world.said(43)) == []
    assert kinds(await world.said(52)) == ["RunFinished"]


async def test_a_run_cleared_as_a_whole_is_known_by_the_history_of_its_tries(world: World) -> None:
    """Every task ran again, so only earlier tries are older than the run."""
    world.airflow.put(seen_run("success", ended=9), seen_task("load", "success"))
    await world.said(19)
    world.airflow.clock = at(31)
    world.airflow.put(seen_run("success", queued=29, started=30, ended=35))
    world.airflow.put(seen_task("load", "success", try_number=2, started=31, ended=32))

    assert kinds(await world.said(45))[:2] == ["RunReopened", "RunFinished"]


async def test_a_run_that_was_forgotten_and_is_cleared_is_reopened(world: World) -> None:
    """Told as begun from nothing, it would not be given what it wrote itself before."""
    world.airflow.put(seen_run("running", queued=29, started=30), seen_task("extract", "success"))

    reopened, *_ = await world.said(41)

    assert isinstance(reopened, RunReopened)
    assert (reopened.clear_number, reopened.run_started_at) == (1, at(30))


async def test_a_run_created_again_under_the_same_id_is_another_run(world: World) -> None:
    """It has no past: the old one is told as deleted, the new one as started."""
    world.airflow.put(seen_run("success", ended=9), seen_task("load", "success"))
    await world.said(19)
    world.airflow.delete(("daily", "r1"))
    world.airflow.clock = at(31)
    world.airflow.put(seen_run("running", queued=29, started=30), seen_task("load", "success", started=31, ended=32))

    deleted, started, *_ = await world.said(41)

    assert isinstance(deleted, RunDeleted)
    assert isinstance(started, RunStarted)
    assert (deleted.run_started_at, started.run_started_at, started.clear_number) == (at(0), at(30), 0)


async def test_runs_of_no_known_team_are_counted_and_left_out(world: World) -> None:
    """Nothing is said of them, nothing is said in anybody's name."""
    world.airflow.put(seen_run("success", ended=9, dag="foreign"), seen_task("load", "success", dag="foreign"))

    assert await world.said(20) == []
    assert world.sweep.counts["of_unknown_teams"] > 0


async def test_an_airflow_that_is_away_loses_nothing(world: World) -> None:
    """The cursor stays; the next round reads what was missed, however long it took."""
    await world.said(1)
    world.airflow.put(seen_run("success", ended=2))
    world.airflow.away = True
    with pytest.raises(UnavailableError):
        await world.said(3)
    world.airflow.away = False

    assert kinds(await world.said(4000)) == ["RunStarted", "RunFinished"]


async def test_a_pass_cut_short_goes_on_at_its_page(world: World) -> None:
    """What was dealt with is not read again, what was updated meanwhile is read by the next pass."""
    world.airflow.put(*(seen_run("success", ended=2, run_id=f"r{i}") for i in range(5)))
    cursor = await world.notebook.at("runs")
    world.airflow.clock = at(20)
    first = await world.airflow.runs(cursor.since, cursor.page)
    await world.notebook.write(Outcome(moved=("runs", cursor, cursor.after(first))))

    assert len(await world.said(21)) == 2 * 3
    assert (await world.notebook.at("runs")).since == at(20)


async def test_of_two_sweeps_at_once_one_keeps_nothing(world: World) -> None:
    """The cursor is the fence: what the slower one read is not said twice."""
    cursor = await world.notebook.at("tasks")
    world.airflow.put(seen_run("success", ended=2))
    await world.said(20)
    page = await world.airflow.ended_tasks(cursor.since, "")

    with pytest.raises(StaleEpochError):
        await world.notebook.write(Outcome(moved=("tasks", cursor, cursor.after(page))))


async def test_a_deleted_run_is_told_after_it_was_missed_twice(world: World) -> None:
    """Once could be a hiccup; a minute later it is gone."""
    from sweep.cases import Terms
    from sweep.domain.runs import plan_absence

    known = KnownRun("daily", "r1", Whose("ads", "bundle"), at(0))
    grace = Terms().gone_grace

    first = plan_absence(known, at=at(100), grace=grace)
    assert first.facts == ()
    assert first.known is not None
    early = plan_absence(first.known, at=at(130), grace=grace)
    assert (early.facts, early.known) == ((), first.known)
    late = plan_absence(first.known, at=at(161), grace=grace)
    (deleted,) = late.facts
    assert isinstance(deleted, RunDeleted)
    assert (deleted.run.run_id, deleted.seen_at, late.known) == ("r1", at(100), None)


async def test_a_deletion_in_airflows_log_is_looked_at_before_all_other_runs(world: World) -> None:
    """However many there are: their turn comes every quarter of an hour, or much later."""
    for number in range(40):
        world.airflow.put(seen_run("success", ended=9, run_id=f"r{number}"))
    await world.said(20)
    world.airflow.delete(("daily", "r33"))

    await world.said(22)
    missing = await world.notebook.known([("ads", "daily", f"r{number}") for number in range(40)])

    assert [run.run_id for run in missing.values() if run.missing_since] == ["r33"]


async def test_an_airflow_whose_log_may_not_be_read_is_swept_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise UnavailableError("403")

    monkeypatch.setattr(world.airflow, "deletions", refused)
    world.airflow.put(seen_run())
    await world.said(20)
    world.airflow.delete(("daily", "r1"))
    await world.said(40)

    assert kinds(await world.said(140)) == ["RunDeleted"]


async def test_a_run_without_a_clear_answer_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its DAG may be none that the sweep may see. It is told that something is away, once all have had their turn."""
    world.airflow.put(seen_run(run_id="odd"), seen_run(), seen_task("load", "failed"))
    for when in (20, 400, 800):
        await world.said(when)
    answer = world.airflow.run

    async def unclear(run: RunId) -> SeenRun | None:
        if run == ("daily", "odd"):
            raise UnavailableError("403")
        return await answer(run)

    monkeypatch.setattr(world.airflow, "run", unclear)
    world.notebook.hear(("daily", "r1", "load", -1, 1, "success", at(3)))
    with pytest.raises(UnavailableError):
        await world.said(802)

    assert await world.notebook.doubted(1) == []


async def test_a_run_that_comes_back_is_not_missing_any_more(world: World) -> None:
    """Airflow said it had none, then that it has: the second word counts."""
    world.airflow.put(seen_run())
    await world.said(19)
    (known,) = await world.notebook.due(1)
    world.airflow.delete(("daily", "r1"))
    await world.said(140)
    (missing,) = await world.notebook.due(1)
    world.airflow.put(seen_run())
    await world.said(150)
    (back,) = await world.notebook.due(1)

    assert (known.missing_since, back.missing_since) == (None, None)
    assert missing.missing_since is not None
