"""What storage keeps for people who ask why: waits, refusals, holds, sizes, when credentials were given."""

from datetime import timedelta

import pytest
from outrider_contracts.declarations import Input, Output, parse_declaration
from outrider_contracts.holdings import EnvironmentView
from outrider_contracts.http import Carried, CarriedRequest, TokenRequest
from outrider_contracts.tenants import Acceptance
from storage.cases import carry
from storage.cases.show import environments
from storage.domain.refusals import Refused, Waiting

from tests.integration.storage.platform import EXTRACT, MIDNIGHT, REPORT, Platform, run, run_started, task

NEWS = parse_declaration("read", inputs={"orders": Input("extract", "orders", dag="daily", team="ads")})


async def _views(platform: Platform, viewer: str | None = None) -> dict[str, EnvironmentView]:
    shown = await environments(platform.work, "ads", "daily", "r1", viewer=viewer)
    return {view.task.task_id: view for view in shown.environments}


async def test_a_refused_try_keeps_what_it_was_told(platform: Platform) -> None:
    """Told again and again it is one answer, with its first and last time and the fix."""
    report = task("report").attempt(1)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await platform.ensure(report, REPORT)
        platform.later(seconds=5)

    (told,) = (await environments(platform.work, "ads", "daily", "r1")).told
    assert (told.task, told.kind, told.what) == (report, "refused", "input-missing")
    assert (told.message, told.fix) == (refused.value.message, refused.value.fix)
    assert told.last_at - told.first_at == timedelta(seconds=5)


async def test_a_wait_is_kept_from_its_first_asking_to_its_last(platform: Platform) -> None:
    """The start of a reopened run is not told yet: the reader waits for it, and people see for how long."""
    await platform.produce(task("extract").attempt(1), EXTRACT)
    later, report = MIDNIGHT + timedelta(minutes=1), task("report").attempt(1)
    for _ in range(2):
        with pytest.raises(Waiting):
            await platform.ensure(report, REPORT, started=later)
        platform.later(seconds=3)
    await platform.hear(run_started(run()), run_started(run(), later, clear_number=1))
    await platform.ensure(report, REPORT, started=later)

    (told,) = (await environments(platform.work, "ads", "daily", "r1", "report")).told
    assert (told.kind, told.task) == ("waiting", report)
    assert "the start of run r1" in told.what
    assert told.last_at - told.first_at == timedelta(seconds=3)
    assert (await _views(platform))["report"].resolved_at == platform.now


async def test_a_wait_that_an_input_allows_is_one_wait_whatever_becomes_of_its_producer(platform: Platform) -> None:
    """A task that is put off for hours says what it waits for, and how that stands."""
    wanted = parse_declaration("report", inputs={"orders": Input("extract", "orders", wait="2h")})
    report = task("report").attempt(1)
    with pytest.raises(Waiting):
        await platform.ensure(report, wanted)
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    platform.later(seconds=90)
    with pytest.raises(Waiting):
        await platform.ensure(report, wanted)

    (told,) = (await environments(platform.work, "ads", "daily", "r1", "report")).told
    assert (told.kind, told.what) == ("waiting", "input 'orders'")
    assert "try 1 of ads/daily/extract in run r1 has not sealed it (it is at work)" in told.message
    assert told.last_at - told.first_at == timedelta(seconds=90)


async def test_an_environment_tells_its_credentials_and_what_its_inputs_hold(platform: Platform) -> None:
    """When they were given and until when they are good; never the credentials themselves."""
    await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.ensure(task("report").attempt(1), REPORT)

    report = (await _views(platform))["report"]
    assert report.credentials is not None
    assert report.credentials.given_at == platform.now
    assert report.credentials.expires_at > platform.now
    assert (report.input_sizes["orders"].files, report.input_sizes["orders"].bytes) == (1, 5)
    assert report.declared["orders"].task == "extract"
    assert "secret" not in report.model_dump_json()


async def test_an_environment_tells_how_long_its_data_was_carried(platform: Platform) -> None:
    """By the pod's stagers or the task itself; a try that no longer counts changes nothing, and is told so."""
    extract, report = task("extract").attempt(1), task("report").attempt(1)
    await platform.produce(extract, EXTRACT)
    await platform.ensure(report, REPORT)
    asked = TokenRequest(task=report, run_started_at=MIDNIGHT)
    token = (await carry.give(platform.work, asked)).token

    assert not (await carry.carried(platform.work, token, Carried(way="in", seconds=0.4, cold_bytes=7))).revoked
    platform.later(seconds=5)
    told = CarriedRequest(task=report, run_started_at=MIDNIGHT, carried=Carried(way="out", seconds=2))
    assert not (await carry.carried_by_task(platform.work, told)).revoked
    late = CarriedRequest(task=extract, run_started_at=MIDNIGHT, carried=Carried(way="out", seconds=9))
    assert (await carry.carried_by_task(platform.work, late)).revoked

    views = await _views(platform)
    staged, stored = views["report"].staged, views["report"].stored
    assert staged is not None
    assert stored is not None
    assert (staged.seconds, stored.seconds, stored.at - staged.at) == (0.4, 2, timedelta(seconds=5))
    assert (staged.cold_bytes, stored.cold_bytes) == (7, None)
    assert views["extract"].stored is None


async def test_a_version_tells_who_holds_it_and_another_teams_reader_is_masked(platform: Platform) -> None:
    """Team ads learns that a task of news reads its output, not which; the platform sees its name."""
    orders = {"from": "ads", "output": "daily/extract/orders"}
    platform.onboard("news", readable=(_accepted(orders),))
    extract = parse_declaration("extract", outputs={"orders": Output(retention="3d")})
    await platform.produce(task("extract").attempt(1), extract)
    await platform.ensure(task("read", team="news", dag_id="front").attempt(1), NEWS)

    (seen,) = (await _views(platform, "ads"))["extract"].versions[0].holds
    (known,) = (await _views(platform))["extract"].versions[0].holds
    assert seen.holder == "a task of team news"
    assert known.holder.startswith("task news/front/r1/read @")
    assert seen.expires_at == platform.now + platform.terms.hold


def _accepted(grant: dict[str, str]) -> Acceptance:
    return Acceptance.model_validate(grant)


async def test_what_a_failed_try_left_is_said_to_be_kept_as_long_as_it_is(platform: Platform) -> None:
    await platform.write(await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.seal(task("extract").attempt(1), success=False)

    (left,) = (await _views(platform))["extract"].versions
    assert left.retention == "7d"
