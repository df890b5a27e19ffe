"""Nothing is destroyed on hearsay: retention, holds and grace, then Airflow's own word, then an undo window."""

import asyncio
from datetime import timedelta

import pytest
from outrider_bus.ports import UnavailableError
from outrider_contracts.airflow import RunDeleted
from outrider_contracts.declarations import Input, Output, parse_declaration
from outrider_contracts.environments import EnvironmentSealed, VersionCleared, VersionDoomed, VersionRestored
from outrider_contracts.holdings import FreezeRequest, HoldRequest
from outrider_contracts.http import CredentialsRequest
from outrider_contracts.keys import RunKey, TryKey
from storage.adapters.memory import MemoryAirflow, MemoryStore
from storage.cases import people, show
from storage.cases.begin import begin
from storage.domain.refusals import Refused
from storage.domain.removal import AirflowRun
from storage.records import holds, removals, versions

from tests.integration.storage.platform import (
    EXTRACT,
    MIDNIGHT,
    REPORT,
    Platform,
    graph,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
)

SHORT = parse_declaration("extract", outputs={"orders": Output(retention="run")})
ORDERS = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
END = MIDNIGHT + timedelta(minutes=20)


async def ended_run(platform: Platform) -> None:
    """A run that wrote one output kept for the run only, and ended."""
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), SHORT)
    await platform.hear(run_finished(run(), END))


async def test_a_version_goes_after_the_run_the_grace_and_the_undo_window(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.now = END + timedelta(minutes=9)
    assert await platform.clear() == (0, 0)

    platform.now = END + timedelta(minutes=11)
    assert await platform.clear() == (1, 0)
    assert await platform.state(ORDERS) == "doomed"
    assert ORDERS + "part" in platform.store.files

    platform.later(hours=25)
    assert await platform.clear() == (0, 1)

    assert await platform.state(ORDERS) == "cleared"
    assert platform.store.files == {}
    cleared = (await platform.said(VersionCleared))[0]
    assert (cleared["objects"], cleared["path"]) == (2, ORDERS)
    assert len(await platform.said(VersionDoomed)) == 1


@pytest.mark.parametrize(
    ("state", "live", "started"),
    [("running", 0, MIDNIGHT), ("queued", 0, None), ("success", 1, MIDNIGHT), ("success", 0, END)],
)  # fmt: skip
async def test_a_forged_end_of_a_run_destroys_nothing(
    platform: Platform, state: str, live: int, started: object
) -> None:
    """The event says that the run ended; Airflow, asked, says that it runs, or is another start of the run."""
    await ended_run(platform)
    platform.airflow.runs[run()] = AirflowRun(state, state == "success", started, live)  # type: ignore[arg-type]

    for _ in range(3):
        platform.later(days=30)
        assert await platform.clear() == (0, 0)

    assert await platform.state(ORDERS) == "sealed"
    waits = (await show.pending(platform.work, "ads")).versions[0].waiting_for
    assert waits


async def test_a_run_that_goes_on_after_its_doom_keeps_its_bytes(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.now = END + timedelta(minutes=11)
    await platform.clear()
    platform.airflow_says(run(), "running", live=1)

    platform.later(days=2)

    assert await platform.clear() == (0, 0)
    assert ORDERS + "part" in platform.store.files


async def test_an_airflow_that_is_away_means_wait(platform: Platform) -> None:
    await ended_run(platform)

    class Away:
        async def run(self, run: RunKey) -> None:
            raise UnavailableError("connection refused")

        async def at_work(self, tried: TryKey) -> bool:
            raise UnavailableError("connection refused")

        async def map_indexes(self, run: RunKey, task_id: str) -> tuple[int, ...]:
            raise UnavailableError("connection refused")

    object.__setattr__(platform.work, "airflow", Away())
    platform.later(days=30)

    assert await platform.clear() == (0, 0)
    assert "can't be asked" in (await show.pending(platform.work, "ads")).versions[0].waiting_for


class Partly(MemoryAirflow):
    """An Airflow that has no clear answer for the run `odd`: its DAG is gone, or is none that storage may see."""

    async def run(self, run: RunKey) -> AirflowRun | None:
        if run.run_id == "odd":
            raise UnavailableError("Airflow answered 403")
        return await super().run(run)

    async def at_work(self, tried: TryKey) -> bool:
        if tried.run_id == "odd":
            raise UnavailableError("Airflow answered 403")
        return await super().at_work(tried)


async def test_a_run_without_a_clear_answer_holds_up_no_other(platform: Platform) -> None:
    """It was heard of first, so it is asked after first, again and again."""
    object.__setattr__(platform.work, "airflow", Partly())
    for name in ("odd", "r1"):
        tried = task("extract", name).attempt(1)
        await platform.write(await platform.ensure(tried, EXTRACT, logical_date=None))
        await platform.hear(task_finished(tried, "success", platform.now))
        platform.later(minutes=1)

    await platform.tidy()

    assert [one["task"]["run_id"] for one in await platform.said(EnvironmentSealed)] == ["r1"]


async def test_a_doubtful_run_without_a_clear_answer_holds_up_no_other(platform: Platform) -> None:
    partly = Partly()
    object.__setattr__(platform.work, "airflow", partly)
    for name in ("odd", "r1"):
        await platform.hear(run_started(run(name)))
        platform.later(minutes=1)
    platform.later(hours=2)

    await platform.tidy()

    assert partly.asked == [run("r1")]


async def test_a_run_airflow_does_not_know_is_gone_only_if_its_deletion_was_heard(platform: Platform) -> None:
    await ended_run(platform)
    for _ in range(3):
        platform.later(hours=1)
        assert await platform.clear() == (0, 0)

    await platform.hear(RunDeleted(run=run(), run_started_at=MIDNIGHT, seen_at=platform.now))

    assert await platform.clear() == (1, 0)


async def test_a_deleted_run_is_asked_for_twice_with_a_grace_between(platform: Platform) -> None:
    await ended_run(platform)
    await platform.hear(RunDeleted(run=run(), run_started_at=MIDNIGHT, seen_at=platform.now))
    platform.later(hours=1)

    assert await platform.clear() == (0, 0)
    assert await platform.clear() == (0, 0)
    platform.later(minutes=11)
    assert await platform.clear() == (1, 0)


async def test_a_reopened_run_takes_the_date_of_removal_away(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    again = MIDNIGHT + timedelta(hours=2)

    await platform.hear(run_started(run(), again, clear_number=1))

    platform.later(days=30)
    assert await platform.clear() == (0, 0)
    assert (await show.pending(platform.work, "ads")).versions == ()


async def test_a_run_created_again_is_waited_for_until_its_own_end(platform: Platform) -> None:
    await ended_run(platform)
    again = MIDNIGHT + timedelta(hours=2)
    platform.airflow_says(run(), "success", again)
    platform.later(days=30)
    assert await platform.clear() == (0, 0)

    await platform.hear(run_started(run(), again), run_finished(run(), again + timedelta(hours=1), again))

    assert await platform.clear() == (1, 0)


async def test_a_version_somebody_reads_is_held(platform: Platform) -> None:
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())
    platform.now = END + timedelta(days=2)
    reader = task("load", "x1", dag_id="weekly")
    declared = parse_declaration("load", inputs={"orders": Input("extract", "orders", dag="daily")})
    await platform.ensure(reader.attempt(1), declared, platform.now, platform.now)

    platform.now = END + timedelta(days=4)
    assert await platform.clear() == (0, 0)
    held = (await show.pending(platform.work, "ads")).versions[0].held_by
    assert held[0].startswith("task ads/weekly/x1/load @")

    await platform.seal(reader.attempt(1), success=False, started=MIDNIGHT + timedelta(days=2, minutes=20))
    await platform.hear(
        task_finished(reader.attempt(1), "up_for_retry", platform.now, MIDNIGHT + timedelta(days=2, minutes=20))
    )
    assert await platform.clear() == (0, 0)
    await platform.hear(
        task_finished(reader.attempt(2), "failed", platform.now, MIDNIGHT + timedelta(days=2, minutes=20))
    )
    assert await platform.clear() == (1, 0)


async def test_a_hold_ends_by_itself(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    await people.hold(platform.work, HoldRequest(path=ORDERS, duration="2d", reason="audit"), "ann")
    platform.later(days=1)
    assert await platform.clear() == (0, 0)
    assert (await show.pending(platform.work, "ads")).versions[0].held_by == ("ann: audit",)

    platform.later(days=1, minutes=1)

    assert await platform.clear() == (1, 0)


async def test_a_doomed_version_is_out_of_reach_and_can_be_restored(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.later(hours=1)
    await platform.clear()
    with pytest.raises(Refused) as refusal:
        await platform.ensure(task("report").attempt(1), REPORT)
    assert refusal.value.reason == "input-cleared"
    assert refusal.value.fix == f"outrider storage restore {ORDERS}"

    assert await people.restore(platform.work, ORDERS, "ann") == [ORDERS]

    assert len(await platform.said(VersionRestored)) == 1
    platform.later(days=2)
    assert await platform.clear() == (0, 0)
    assert (await platform.ensure(task("report").attempt(1), REPORT)).inputs["orders"][0].path == ORDERS


async def test_a_cleared_input_says_when_why_and_how_to_make_it_anew(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.later(hours=1)
    await platform.clear()
    platform.later(days=2)
    await platform.clear()

    with pytest.raises(Refused) as refusal:
        await platform.ensure(task("report").attempt(1), REPORT)

    assert "was cleared on 2026-11-03T01:30:00Z: the output is kept for the run" in refusal.value.message
    assert refusal.value.fix.startswith("clear task extract of run r1 in Airflow: POST")
    with pytest.raises(Refused, match=r"nothing at .* is doomed"):
        await people.restore(platform.work, ORDERS, "ann")


async def test_a_superseded_version_goes_before_the_current_one(platform: Platform) -> None:
    platform.onboard("ads", default="3d", failed="1d")
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.produce(task("extract").attempt(2), EXTRACT)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())

    platform.now = END + timedelta(days=1, minutes=11)
    assert await platform.clear() == (1, 0)

    assert [await platform.state(f"{ORDERS[:-3]}g{n}/") for n in (1, 2)] == ["doomed", "sealed"]


async def test_what_a_failed_try_left_is_kept_as_long_as_the_team_wants(platform: Platform) -> None:
    platform.onboard("ads", failed="12h")
    await platform.hear(run_started(run()))
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.seal(task("extract").attempt(1), success=False)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())

    platform.now = END + timedelta(hours=11)
    assert await platform.clear() == (0, 0)
    platform.later(hours=2)
    assert await platform.clear() == (1, 0)


async def test_forever_is_forever(platform: Platform) -> None:
    declared = parse_declaration("extract", outputs={"orders": Output(retention="forever")})
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), declared)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())

    platform.later(days=3650)

    assert await platform.clear() == (0, 0)


async def test_a_place_nobody_came_for_is_given_up_after_the_run(platform: Platform) -> None:
    platform.now = END
    await platform.hear(graph(run(), EXTRACT), run_started(run()), run_finished(run(), END))
    await platform.tidy()
    assert await platform.state(ORDERS) == "open"

    platform.later(hours=1)
    await platform.tidy()

    assert await platform.state(ORDERS) == "cleared"
    assert await platform.said(VersionDoomed) == []


async def test_an_end_heard_of_when_all_is_on_its_way_out_holds_up_no_other(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't be sealed any more. The oldest are looked at first, and so many at once."""
    monkeypatch.setattr("storage.cases.tidy._BATCH", 1)
    late, other = task("extract").attempt(1), task("extract", "r2").attempt(1)
    await platform.hear(run_started(run()))
    await platform.ensure(late, SHORT)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())
    platform.now = END + timedelta(days=30)
    assert await platform.clear() == (1, 0)
    await platform.hear(task_finished(late, "success", END))
    began = platform.now
    await platform.hear(run_started(run("r2"), began, logical_date=began))
    environment = await platform.ensure(other, SHORT, began, began)
    await platform.write(environment)
    await platform.hear(task_finished(other, "success", platform.now, began))

    platform.later(minutes=1)
    await platform.tidy()

    assert [sealed["task"]["run_id"] for sealed in await platform.said(EnvironmentSealed)] == ["r2"]


async def test_a_run_that_never_was_leaves_nothing_behind(platform: Platform) -> None:
    await platform.hear(graph(run(), EXTRACT), run_started(run()))
    platform.later(hours=2)
    await platform.tidy()
    assert platform.airflow.asked == [run()]
    assert await platform.state(ORDERS) == "open"

    for _ in range(2):
        platform.later(minutes=11)
        await platform.tidy()

    assert await platform.state(ORDERS) == "cleared"


async def test_a_quiet_run_that_airflow_knows_is_no_phantom(platform: Platform) -> None:
    await platform.hear(graph(run(), EXTRACT), run_started(run()))
    platform.airflow_says(run(), "running")

    for _ in range(3):
        platform.later(hours=2)
        await platform.tidy()

    assert await platform.state(ORDERS) == "open"


async def test_a_frozen_storage_destroys_nothing(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.later(hours=1)
    await people.freeze(platform.work, FreezeRequest(frozen=True, reason="audit"), "ann")
    assert await platform.clear() == (0, 0)

    await people.freeze(platform.work, FreezeRequest(frozen=False), "ann")
    assert await platform.clear() == (1, 0)
    await people.freeze(platform.work, FreezeRequest(frozen=True), "ann")
    platform.later(days=2)
    assert await platform.clear() == (0, 0)


async def test_too_many_removals_at_once_stop_and_say_so(platform: Platform) -> None:
    object.__setattr__(platform.work.terms, "removals_per_hour", 2)
    try:
        for number in range(3):
            await platform.produce(task("extract", f"r{number}").attempt(1), SHORT, logical_date=None)
            await platform.hear(run_finished(run(f"r{number}"), END))
            platform.airflow_says(run(f"r{number}"))
        platform.later(hours=1)
        await platform.clear()
        platform.later(days=2)

        assert await platform.clear() == (0, 2)

        frozen = (await show.pending(platform.work, "ads")).frozen
        assert frozen.frozen
        assert frozen.reason == "circuit breaker: 2 removals within an hour"
        assert await platform.clear() == (0, 0)
        await people.freeze(platform.work, FreezeRequest(frozen=False), "ann")
        platform.later(seconds=1)
        assert await platform.clear() == (0, 1)
    finally:
        object.__setattr__(platform.work.terms, "removals_per_hour", 5000)


async def test_a_removal_that_was_interrupted_is_finished_by_the_next(platform: Platform) -> None:
    await ended_run(platform)
    platform.airflow_says(run())
    platform.later(hours=1)
    await platform.clear()
    platform.later(days=2)
    await platform.pool.execute("UPDATE storage.versions SET state = 'clearing', claimed_at = $1", platform.now)
    assert await platform.clear() == (0, 0)

    platform.later(minutes=20)
    await platform.clear()

    assert await platform.state(ORDERS) == "cleared"
    assert platform.store.files == {}


async def test_an_older_copy_of_the_database_starts_frozen(platform: Platform) -> None:
    await begin(platform.work)
    await platform.pool.execute("UPDATE storage.control SET starts = 0")  # as a backup has it

    assert not await begin(platform.work)

    frozen = (await show.pending(platform.work, None)).frozen
    assert frozen.frozen
    assert "an older copy of the one that used the store last" in frozen.reason


async def test_an_empty_database_beside_a_full_store_starts_frozen(platform: Platform) -> None:
    await platform.pool.execute("TRUNCATE storage.control")

    assert not await begin(platform.work)

    await people.freeze(platform.work, FreezeRequest(frozen=False, reason="checked"), "ann")
    assert await begin(platform.work)
    assert not (await show.pending(platform.work, None)).frozen.frozen


async def test_a_fresh_database_with_a_fresh_store_just_starts(platform: Platform) -> None:
    object.__setattr__(platform.work, "store", MemoryStore())

    assert await begin(platform.work)


async def test_a_hold_that_is_being_taken_is_waited_for(platform: Platform) -> None:
    """A reader resolves the version while the clearing pass, which saw no hold, is about to doom it."""
    await ended_run(platform)
    platform.later(hours=1)

    async def doom() -> object:
        async with platform.work.database.begin() as tx:
            return await removals.doom(tx.connection, ORDERS, platform.now, timedelta(days=1))

    async with platform.work.database.begin() as tx:
        assert await versions.lock_readable(tx.connection, [ORDERS]) == {ORDERS}
        dooming = asyncio.create_task(doom())
        await platform.until_somebody_waits()
        until = platform.now + timedelta(days=7)
        await holds.hold(tx.connection, [ORDERS], "reader", reason="", now=platform.now, until=until)

    assert await dooming is None
    assert await platform.state(ORDERS) == "sealed"


async def test_a_try_that_comes_after_its_runs_end_is_cleared_too(platform: Platform) -> None:
    await platform.hear(run_finished(run(), END))
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    assert (await show.pending(platform.work, "ads")).versions == ()

    await platform.tidy()

    assert [one.path for one in (await show.pending(platform.work, "ads")).versions] == [ORDERS]


async def test_a_try_whose_directory_was_doomed_gets_nothing_more(platform: Platform) -> None:
    await platform.hear(run_started(run()))
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())
    platform.later(days=30)
    assert await platform.clear() == (1, 0)
    renewal = CredentialsRequest(task=task("extract").attempt(1), run_started_at=MIDNIGHT)

    for act in (
        platform.ensure(task("extract").attempt(1), EXTRACT),
        platform.seal(task("extract").attempt(1)),
        people.renew(platform.work, renewal),
    ):
        with pytest.raises(Refused, match="doomed or cleared by now"):
            await act


async def test_credentials_are_renewed_until_the_try_is_sealed_or_superseded(platform: Platform) -> None:
    environment = await platform.ensure(task("extract").attempt(1), EXTRACT)
    renewal = CredentialsRequest(task=task("extract").attempt(1), run_started_at=MIDNIGHT)
    assert await people.renew(platform.work, renewal) is not None
    assert platform.issuer.issued[-1].outputs == (environment.outputs["orders"].path,)

    await platform.ensure(task("extract").attempt(2), EXTRACT)

    with pytest.raises(Refused, match="superseded"):
        await people.renew(platform.work, renewal)
    await platform.write(await platform.ensure(task("extract").attempt(2), EXTRACT))
    await platform.seal(task("extract").attempt(2))
    with pytest.raises(Refused, match="sealed"):
        await people.renew(platform.work, CredentialsRequest(task=task("extract").attempt(2), run_started_at=MIDNIGHT))
