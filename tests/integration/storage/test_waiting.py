"""Inputs that may wait, outputs somebody looks for, and the part of a producer that is an instance's own."""

from datetime import timedelta

import pytest
from outrider_contracts.declarations import Input, InputDeclaration, Output, TaskDeclaration, parse_declaration
from outrider_contracts.environments import EnvironmentRefused, EnvironmentSealed
from outrider_contracts.http import OutputRequest
from outrider_contracts.tenants import Acceptance
from storage.cases import look
from storage.cases.show import environments
from storage.domain.refusals import Refused, Waiting

from tests.integration.storage.platform import EXTRACT, MIDNIGHT, Platform, run, task, task_started

ORDERS = Input("extract", "orders", dag="daily")
WAITING = parse_declaration("report", inputs={"orders": Input("extract", "orders", dag="daily", wait="2h")})
READER = task("report", dag_id="weekly")


def asked(awaited: Input = ORDERS, team: str = "ads") -> OutputRequest:
    return OutputRequest(
        reader=task("report", dag_id="weekly", team=team), run_started_at=MIDNIGHT, run_after=MIDNIGHT,
        logical_date=MIDNIGHT, input=InputDeclaration.model_validate(awaited),
    )  # fmt: skip


async def test_an_input_that_may_wait_is_a_not_yet_that_ends(platform: Platform) -> None:
    """Counted from when the try first asked, so that asking often makes it no longer; then it is refused as any is."""
    began = platform.now
    for _ in range(2):
        with pytest.raises(Waiting) as wait:
            await platform.ensure(READER.attempt(1), WAITING)
        assert (wait.value.awaited, wait.value.until) == ("orders", began + timedelta(hours=2))
        assert wait.value.retry_after_seconds == 60
        platform.later(hours=1)
    assert await platform.said(EnvironmentRefused) == []

    with pytest.raises(Refused, match=r"no try of extract has opened it.*2h of waiting are over") as refusal:
        await platform.ensure(READER.attempt(1), WAITING)
    assert refusal.value.reason == "input-missing"


async def test_it_goes_on_with_what_was_sealed_meanwhile(platform: Platform) -> None:
    with pytest.raises(Waiting):
        await platform.ensure(READER.attempt(1), WAITING)

    made = await platform.produce(task("extract").attempt(1), EXTRACT)

    given = await platform.ensure(READER.attempt(1), WAITING)
    assert [part.path for part in given.inputs["orders"]] == [made.outputs["orders"].path]


async def test_an_optional_one_waits_first_and_then_does_without(platform: Platform) -> None:
    optional = Input("extract", "orders", dag="daily", wait="30s", optional=True)
    declared = parse_declaration("report", inputs={"orders": optional})
    with pytest.raises(Waiting):
        await platform.ensure(READER.attempt(1), declared)

    platform.later(seconds=31)

    assert (await platform.ensure(READER.attempt(1), declared)).missing_inputs == ("orders",)


async def test_it_waits_too_where_the_start_of_its_try_is_heard_before_it_asks(platform: Platform) -> None:
    """Which is mostly so: what is given up then would be given up for good."""
    optional = Input("extract", "orders", dag="daily", wait="30s", optional=True)
    declared = parse_declaration("report", inputs={"orders": optional})
    await platform.hear(task_started(READER.attempt(1), declared))

    with pytest.raises(Waiting):
        await platform.ensure(READER.attempt(1), declared)

    made = await platform.produce(task("extract").attempt(1), EXTRACT)
    given = await platform.ensure(READER.attempt(1), declared)
    assert [part.path for part in given.inputs["orders"]] == [made.outputs["orders"].path]


async def test_looking_takes_nothing_and_says_when_it_is_there(platform: Platform) -> None:
    """No hold, no attempt, no fact: it may be asked every second."""
    with pytest.raises(Waiting, match="a sealed version of daily/extract/orders"):
        await look.sealed(platform.work, asked())
    made = await platform.produce(task("extract").attempt(1), EXTRACT)

    answer = await look.sealed(platform.work, asked())

    assert [part.path for part in answer.versions] == [made.outputs["orders"].path]
    assert await platform.pool.fetchval("SELECT count(*) FROM storage.holds") == 0
    assert await platform.pool.fetchval("SELECT count(*) FROM storage.attempts WHERE dag_id = 'weekly'") == 0


async def test_looking_for_another_date_finds_nothing(platform: Platform) -> None:
    await platform.produce(task("extract", "r0").attempt(1), EXTRACT, logical_date=MIDNIGHT - timedelta(days=1))

    with pytest.raises(Waiting):
        await look.sealed(platform.work, asked(Input("extract", "orders", dag="daily", run="same-date")))


async def test_looking_at_another_team_needs_its_grant(platform: Platform) -> None:
    """Whether there is anything is said to nobody who may not read it."""
    platform.onboard("news")
    await platform.produce(task("extract").attempt(1), EXTRACT)
    foreign = asked(Input("extract", "orders", dag="daily", team="ads"), team="news")
    with pytest.raises(Refused) as refusal:
        await look.sealed(platform.work, foreign)
    assert refusal.value.reason == "not-granted"

    granted = Acceptance.model_validate({"from": "ads", "output": "daily/extract/orders"})
    platform.onboard("news", readable=(granted,))

    assert len((await look.sealed(platform.work, foreign)).versions) == 1


async def test_looking_for_a_mapped_output_waits_for_every_part_airflow_holds(platform: Platform) -> None:
    declared = parse_declaration("extract", mapped=True, outputs={"orders": Output()})
    platform.airflow.parts[run(), "extract"] = (0, 1)
    await platform.produce(task("extract", map_index=0).attempt(1), declared)
    with pytest.raises(Waiting):
        await look.sealed(platform.work, asked())

    await platform.produce(task("extract", map_index=1).attempt(1), declared)

    answer = await look.sealed(platform.work, asked())
    assert [part.version.map_index for part in answer.versions] == [0, 1]


async def test_an_instances_own_part_is_all_it_reads_and_waits_for(platform: Platform) -> None:
    """The other parts need not be there, and Airflow is not asked for them."""
    producer = parse_declaration("extract", mapped=True, outputs={"orders": Output()})
    own: TaskDeclaration = parse_declaration(
        "report", mapped=True, inputs={"orders": {**Input("extract", "orders"), "part": "own"}}
    )
    await platform.produce(task("extract", map_index=1).attempt(1), producer)

    given = await platform.ensure(task("report", map_index=1).attempt(1), own)

    (part,) = given.inputs["orders"]
    assert (part.version.map_index, part.own_part) == (1, True)
    with pytest.raises(Refused, match="no try of extract has opened it"):
        await platform.ensure(task("report", map_index=0).attempt(1), own)


async def test_a_format_goes_from_its_declaration_to_its_readers(platform: Platform) -> None:
    """Into the place, the fact of the seal, and what a reader is given; in `uris` mode into the manifest too."""
    declared = parse_declaration("extract", mode="uris", outputs={"orders": Output(format="parquet")})
    made = await platform.ensure(task("extract").attempt(1), declared)
    path = made.outputs["orders"].path
    platform.store.files[path + "part"] = b"12345"
    await platform.seal(task("extract").attempt(1))

    given = await platform.ensure(READER.attempt(1), parse_declaration("report", inputs={"orders": ORDERS}))

    assert made.outputs["orders"].format == "parquet"
    assert [part.format for part in given.inputs["orders"]] == ["parquet"]
    assert (await platform.said(EnvironmentSealed))[0]["outputs"]["orders"]["format"] == "parquet"
    manifest = await platform.store.manifests.read(path)
    assert manifest is not None
    assert manifest.format == "parquet"


async def test_a_sensors_no_is_kept_for_people_who_ask_why(platform: Platform) -> None:
    """A sensor has no environment: what it was told stands beside those that have."""
    platform.onboard("news")
    foreign = asked(Input("extract", "orders", dag="daily", team="ads"), team="news")
    foreign = foreign.model_copy(update={"try_number": 2})
    with pytest.raises(Refused) as refused:
        await look.sealed(platform.work, foreign)

    reader = foreign.reader
    (told,) = (await environments(platform.work, reader.team, reader.dag_id, reader.run_id)).told
    assert (told.task, told.what) == (reader.attempt(2), "not-granted")
    assert (told.message, told.fix) == (refused.value.message, refused.value.fix)
