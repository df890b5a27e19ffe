"""Environments are made when the run starts, given to tries, sealed, and read by others."""

import asyncio
from datetime import timedelta

import pytest
from outrider_bus.ports import UnavailableError
from outrider_contracts.declarations import Input, Output, parse_declaration
from outrider_contracts.environments import EnvironmentReady, EnvironmentRefused, EnvironmentSealed
from outrider_contracts.tenants import Acceptance
from storage.cases.show import environments
from storage.domain.refusals import Refused, Waiting
from storage.records import attempts

from tests.integration.storage.platform import (
    EXTRACT,
    MIDNIGHT,
    REPORT,
    Platform,
    graph,
    run,
    run_started,
    task,
    task_finished,
    task_started,
)

PLACE = "ads/daily/extract/20261101T000000.000000Z"


async def test_places_are_made_when_the_run_starts(platform: Platform) -> None:
    await platform.hear(graph(run(), EXTRACT, REPORT), run_started(run()))

    ready = await platform.said(EnvironmentReady)
    assert [(one["task"]["task_id"], one["task"]["try_number"], one["generation"]) for one in ready] == [
        ("extract", 0, 1),
        ("report", 0, 1),
    ]
    assert ready[0]["outputs"]["orders"]["path"] == f"{PLACE}/orders/g1/"


async def test_a_graph_that_comes_after_the_start_makes_the_places_too(platform: Platform) -> None:
    await platform.hear(run_started(run()))
    assert await platform.said(EnvironmentReady) == []

    await platform.hear(graph(run(), EXTRACT))

    assert len(await platform.said(EnvironmentReady)) == 1


async def test_a_team_that_becomes_known_later_gets_its_places_then(platform: Platform) -> None:
    status = platform.teams.known.pop("ads")
    await platform.hear(graph(run(), EXTRACT), run_started(run()))
    assert await platform.said(EnvironmentReady) == []

    platform.teams.known["ads"] = status
    await platform.tidy()

    assert len(await platform.said(EnvironmentReady)) == 1


async def test_a_redelivered_start_changes_nothing(platform: Platform) -> None:
    await platform.hear(graph(run(), EXTRACT), run_started(run()))
    await platform.hear(graph(run(), EXTRACT), run_started(run()))

    assert len(await platform.said(EnvironmentReady)) == 1


async def test_the_first_try_takes_the_place_made_ahead_and_a_retry_gets_its_own(platform: Platform) -> None:
    await platform.hear(graph(run(), EXTRACT), run_started(run()))

    first = await platform.ensure(task("extract").attempt(1), EXTRACT)
    again = await platform.ensure(task("extract").attempt(1), EXTRACT)
    retry = await platform.ensure(task("extract").attempt(2), EXTRACT)

    assert (first.generation, again.generation, retry.generation) == (1, 1, 2)


async def test_event_and_request_of_one_try_give_one_environment(platform: Platform) -> None:
    await platform.hear(task_started(task("extract").attempt(1), EXTRACT))

    environment = await platform.ensure(task("extract").attempt(1), EXTRACT)

    assert environment.generation == 1
    assert len(await platform.said(EnvironmentReady)) == 1


async def test_a_try_waits_for_its_run_before_it_locks_its_place(platform: Platform) -> None:
    """The start of a run takes the two in this order: the other way round they would wait for one another."""
    await platform.hear(run_started(run()))
    async with platform.work.database.begin() as tx:
        await tx.connection.execute("SELECT FROM storage.runs FOR UPDATE")
        asking = asyncio.create_task(platform.ensure(task("extract").attempt(1), EXTRACT))
        await platform.until_somebody_waits()
        await attempts.lock(tx.connection, PLACE)

    assert (await asking).generation == 1


async def test_a_directory_with_something_in_it_is_never_given_away(platform: Platform) -> None:
    """After a restored backup numbers could come twice: the leftovers of g1 stay what they are."""
    platform.store.files[f"{PLACE}/orders/g1/leftover"] = b"x"

    environment = await platform.ensure(task("extract").attempt(1), EXTRACT)

    assert environment.outputs["orders"].path == f"{PLACE}/orders/g2/"


async def test_a_sealed_output_is_what_the_next_task_reads(platform: Platform) -> None:
    written = await platform.produce(task("extract").attempt(1), EXTRACT)

    environment = await platform.ensure(task("report").attempt(1), REPORT)

    assert [part.path for part in environment.inputs["orders"]] == [written.outputs["orders"].path]
    assert platform.issuer.issued[-1].inputs == (written.outputs["orders"].path,)
    sealed = await platform.said(EnvironmentSealed)
    assert sealed[0]["outputs"]["orders"]["bytes"] == 5


async def test_sealing_twice_gives_the_same_answer(platform: Platform) -> None:
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))

    first = await platform.seal(task("extract").attempt(1))
    second = await platform.seal(task("extract").attempt(1))

    assert first == second
    assert len(await platform.said(EnvironmentSealed)) == 1


async def test_success_without_the_required_output_is_no_success(platform: Platform) -> None:
    await platform.ensure(task("extract").attempt(1), EXTRACT)

    with pytest.raises(Refused, match="has not stored 'orders'") as refusal:
        await platform.seal(task("extract").attempt(1))
    assert refusal.value.reason == "output-missing"


async def test_an_optional_output_may_be_absent(platform: Platform) -> None:
    declared = parse_declaration("extract", outputs={"rejects": Output(required=False)})
    await platform.ensure(task("extract").attempt(1), declared)

    assert (await platform.seal(task("extract").attempt(1))).outputs == {}


async def test_what_a_job_wrote_by_itself_is_written_down_by_storage(platform: Platform) -> None:
    declared = parse_declaration("extract", mode="uris", outputs={"orders": Output()})
    environment = await platform.ensure(task("extract").attempt(1), declared)
    platform.store.files[environment.outputs["orders"].path + "part-0"] = b"123"

    result = await platform.seal(task("extract").attempt(1))

    manifest = await platform.store.manifests.read(environment.outputs["orders"].path)
    assert manifest is not None
    assert [file.path for file in manifest.files] == ["part-0"]
    assert result.outputs["orders"].bytes == 3


async def test_a_zombie_can_neither_ask_nor_seal_once_a_later_try_has_asked(platform: Platform) -> None:
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.ensure(task("extract").attempt(2), EXTRACT)

    for act in (platform.seal(task("extract").attempt(1)), platform.ensure(task("extract").attempt(1), EXTRACT)):
        with pytest.raises(Refused, match="superseded by try 2") as refusal:
            await act
        assert refusal.value.reason == "superseded"


async def test_a_forged_later_start_fences_nobody(platform: Platform) -> None:
    """Only a request with a token does: an event could come from any DAG's code."""
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.hear(task_started(task("extract").attempt(99), EXTRACT))

    assert "orders" in (await platform.seal(task("extract").attempt(1))).outputs


async def test_a_missing_input_is_refused_with_the_producers_state_and_the_way_out(platform: Platform) -> None:
    await platform.ensure(task("extract").attempt(1), EXTRACT)

    with pytest.raises(Refused) as refusal:
        await platform.ensure(task("report").attempt(1), REPORT)

    assert refusal.value.reason == "input-missing"
    assert "try 1 of ads/daily/extract in run r1 has not sealed it (it is at work)" in refusal.value.message
    assert refusal.value.fix.startswith("clear task extract of run r1 in Airflow: POST")
    assert [one["reason"] for one in await platform.said(EnvironmentRefused)] == ["input-missing"]


async def test_a_failed_try_leaves_no_version_to_read(platform: Platform) -> None:
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.seal(task("extract").attempt(1), success=False)

    with pytest.raises(Refused, match="was sealed without it"):
        await platform.ensure(task("report").attempt(1), REPORT)


async def test_an_optional_input_may_be_missing(platform: Platform) -> None:
    declared = parse_declaration("report", inputs={"orders": Input("extract", "orders", optional=True)})

    environment = await platform.ensure(task("report").attempt(1), declared)

    assert environment.missing_inputs == ("orders",)


async def test_every_part_of_a_mapped_task_has_to_be_sealed(platform: Platform) -> None:
    mapped = parse_declaration("extract", mapped=True, outputs={"orders": Output()})
    platform.airflow.parts[run(), "extract"] = (0, 1)
    await platform.produce(task("extract", map_index=0).attempt(1), mapped)
    await platform.ensure(task("extract", map_index=1).attempt(1), mapped)
    with pytest.raises(Refused, match=r"extract\[1\] in run r1 has not sealed"):
        await platform.ensure(task("report").attempt(1), REPORT)

    await platform.write(await platform.ensure(task("extract", map_index=1).attempt(1), mapped))
    await platform.seal(task("extract", map_index=1).attempt(1))

    environment = await platform.ensure(task("report").attempt(1), REPORT)
    assert [part.version.map_index for part in environment.inputs["orders"]] == [0, 1]


async def test_parts_that_airflow_is_not_clear_about_hold_up_the_try_alone(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fact that waits lets no other of its partition be read in the end; and the try asks for itself."""
    mapped = parse_declaration("extract", mapped=True, outputs={"orders": Output()})
    platform.airflow.parts[run(), "extract"] = (0,)
    await platform.produce(task("extract", map_index=0).attempt(1), mapped)

    async def unclear(*_: object) -> None:
        raise UnavailableError("Airflow answered 500")

    monkeypatch.setattr(platform.airflow, "map_indexes", unclear)
    await platform.hear(task_started(task("report").attempt(1), REPORT))
    with pytest.raises(UnavailableError):
        await platform.ensure(task("report").attempt(1), REPORT)
    monkeypatch.undo()

    environment = await platform.ensure(task("report").attempt(1), REPORT)
    assert [part.version.map_index for part in environment.inputs["orders"]] == [0]


async def test_a_mapped_task_over_nothing_is_an_input_of_no_parts(platform: Platform) -> None:
    mapped = parse_declaration("extract", mapped=True, outputs={"orders": Output()})
    platform.airflow.parts[run(), "extract"] = ()
    await platform.hear(graph(run(), mapped, REPORT), run_started(run()))

    environment = await platform.ensure(task("report").attempt(1), REPORT)

    assert environment.inputs["orders"] == ()


LATEST = parse_declaration("load", inputs={"orders": Input("extract", "orders", dag="daily")})


async def test_latest_is_the_newest_sealed_version_not_after_the_reader(platform: Platform) -> None:
    dates = [MIDNIGHT + timedelta(days=day) for day in range(3)]
    for number, date in enumerate(dates):
        await platform.produce(task("extract", f"r{number}").attempt(1), EXTRACT, date, date)

    reader = task("load", "x1", dag_id="weekly").attempt(1)
    environment = await platform.ensure(reader, LATEST, dates[1], dates[1])

    assert environment.inputs["orders"][0].version.run_id == "r1"


MANY_LATER = """
INSERT INTO storage.attempts (place, generation, team, dag_id, run_id, task_id, map_index, run_started_at, try_number,
                              logical_date, run_after, declaration, failed_retention, state, outcome, announced_at)
SELECT 'later/' || n, 1, team, dag_id, 'later' || n, task_id, map_index, run_started_at, 1,
       logical_date + interval '1 day', run_after + interval '1 day', declaration, failed_retention, state, outcome,
       announced_at
FROM storage.attempts, generate_series(1, 10000) AS n WHERE run_id = 'r1'
"""
THEIR_VERSIONS = """
INSERT INTO storage.versions (path, place, generation, output, retention, state, present)
SELECT place || '/orders/g1/', place, 1, 'orders', '3d', 'sealed', true
FROM storage.attempts WHERE starts_with(place, 'later/')
"""


async def test_any_number_of_later_versions_hides_none_that_may_be_read(platform: Platform) -> None:
    """A run of last week that is cleared reads what it read then, however often its producer has run since."""
    await platform.produce(task("extract", "r1").attempt(1), EXTRACT)
    await platform.pool.execute(MANY_LATER)
    await platform.pool.execute(THEIR_VERSIONS)
    same_date = parse_declaration("sum", inputs={"orders": Input("extract", "orders", dag="daily", run="same-date")})

    for task_id, declared in (("load", LATEST), ("sum", same_date)):
        environment = await platform.ensure(task(task_id, "x1", dag_id="weekly").attempt(1), declared)

        assert environment.inputs["orders"][0].version.run_id == "r1"


async def test_retries_read_the_bytes_the_first_try_read(platform: Platform) -> None:
    await platform.produce(task("extract", "r1").attempt(1), EXTRACT)
    reader = task("load", "x1", dag_id="weekly")
    day = MIDNIGHT + timedelta(days=1)
    first = await platform.ensure(reader.attempt(1), LATEST, day, day)
    await platform.produce(task("extract", "r2").attempt(1), EXTRACT, day, day)

    retry = await platform.ensure(reader.attempt(2), LATEST, day, day)

    assert retry.inputs == first.inputs


async def test_the_same_date_means_an_equal_logical_date(platform: Platform) -> None:
    day = MIDNIGHT + timedelta(days=1)
    await platform.produce(task("extract", "r1").attempt(1), EXTRACT)
    await platform.produce(task("extract", "r2").attempt(1), EXTRACT, day, day)
    declared = parse_declaration("load", inputs={"orders": Input("extract", "orders", dag="daily", run="same-date")})
    reader = task("load", "x1", dag_id="weekly").attempt(1)

    environment = await platform.ensure(reader, declared, day)

    assert environment.inputs["orders"][0].version.run_id == "r1"


FOREIGN = parse_declaration("load", inputs={"orders": Input("extract", "orders", dag="daily", team="ads")})


async def test_another_teams_output_needs_a_grant_of_both_sides(platform: Platform) -> None:
    await platform.produce(task("extract").attempt(1), EXTRACT)
    platform.onboard("news")
    reader = task("load", team="news", dag_id="digest").attempt(1)

    with pytest.raises(Refused, match="team news may not read daily/extract/orders of team ads") as refusal:
        await platform.ensure(reader, FOREIGN)
    assert refusal.value.reason == "not-granted"

    granted = Acceptance.model_validate({"from": "ads", "output": "daily/extract/orders"})
    platform.onboard("news", readable=(granted,))
    assert (await platform.ensure(reader, FOREIGN)).inputs["orders"][0].version.team == "ads"


async def test_an_output_kept_for_its_run_can_be_no_input_of_another_dag(platform: Platform) -> None:
    declared = parse_declaration("extract", outputs={"orders": Output(retention="run")})
    await platform.produce(task("extract").attempt(1), declared)

    with pytest.raises(Refused, match="kept for its run only") as refusal:
        await platform.ensure(task("load", dag_id="weekly").attempt(1), LATEST)
    assert refusal.value.reason == "retention-conflict"


async def test_an_unknown_team_is_waited_for_and_then_refused(platform: Platform) -> None:
    wanted = task("extract", team="nobody").attempt(1)
    with pytest.raises(Waiting, match="nobody"):
        await platform.ensure(wanted, EXTRACT)

    platform.later(minutes=3)

    with pytest.raises(Refused) as refusal:
        await platform.ensure(wanted, EXTRACT)
    assert refusal.value.reason == "unknown-team"


async def test_a_task_that_ends_without_a_seal_is_sealed_by_what_is_there(platform: Platform) -> None:
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.ensure(task("report").attempt(1), parse_declaration("report", outputs={"page": Output()}))
    ended = platform.now
    await platform.hear(
        task_finished(task("extract").attempt(1), "success", ended),
        task_finished(task("report").attempt(1), "failed", ended),
    )
    await platform.tidy()
    assert await platform.said(EnvironmentSealed) == []

    platform.later(minutes=1)
    await platform.tidy()

    sealed = {one["task"]["task_id"]: one["outcome"] for one in await platform.said(EnvironmentSealed)}
    assert sealed == {"extract": "success", "report": "failed"}


async def test_a_try_that_went_on_with_an_earlier_ones_pod_is_not_sealed_as_failed(platform: Platform) -> None:
    """It began, so it was given a generation; it never asked for it, wrote nothing there, and ended well."""
    first, second = task("extract").attempt(1), task("extract").attempt(2)
    await platform.hear(run_started(run()))
    environment = await platform.ensure(first, EXTRACT)
    await platform.hear(task_finished(first, "up_for_retry", platform.now), task_started(second, EXTRACT))
    await platform.write(environment)
    await platform.seal(first)
    await platform.hear(task_finished(second, "success", platform.now))
    platform.later(minutes=1)
    await platform.tidy()

    sealed = [(one["task"]["try_number"], one["outcome"]) for one in await platform.said(EnvironmentSealed)]
    assert sealed == [(1, "success")]
    assert {one.state for one in (await environments(platform.work, "ads", "daily", "r1", "extract")).environments} == {
        "sealed", "dropped",
    }  # fmt: skip


async def test_a_cleared_task_of_an_ended_run_reads_what_its_run_wrote_before(platform: Platform) -> None:
    await platform.hear(run_started(run()))
    written = await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.produce(task("report").attempt(1), REPORT)
    reopened = MIDNIGHT + timedelta(hours=5)
    await platform.hear(run_started(run(), reopened, clear_number=1))

    environment = await platform.ensure(task("report").attempt(2), REPORT, reopened)

    assert environment.generation == 2
    assert environment.inputs["orders"][0].path == written.outputs["orders"].path


async def test_a_run_created_again_under_its_id_does_not_read_what_the_deleted_one_wrote(platform: Platform) -> None:
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), EXTRACT)
    again = MIDNIGHT + timedelta(hours=5)
    with pytest.raises(Waiting, match="the start of run r1"):
        await platform.ensure(task("report").attempt(1), REPORT, again)
    await platform.hear(run_started(run(), again))

    with pytest.raises(Refused) as refusal:
        await platform.ensure(task("report").attempt(1), REPORT, again)
    assert refusal.value.reason == "input-missing"

    written = await platform.produce(task("extract").attempt(1), EXTRACT, again)
    assert written.generation == 2
    environment = await platform.ensure(task("report").attempt(1), REPORT, again)
    assert environment.inputs["orders"][0].path == written.outputs["orders"].path


async def test_a_run_without_a_logical_date_has_a_place_by_its_id(platform: Platform) -> None:
    environment = await platform.ensure(task("extract", "manual").attempt(1), EXTRACT, logical_date=None)

    assert environment.place == "ads/daily/extract/run~manual"
