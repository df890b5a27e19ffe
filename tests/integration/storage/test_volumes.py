"""Teams whose data lies on the shared volume: jobs write there themselves, all else is as anywhere."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from outrider_contracts.declarations import Input, Mode, Output, parse_declaration
from outrider_contracts.environments import EnvironmentRefused, EnvironmentSealed
from outrider_contracts.http import Environment, TokenRequest
from outrider_contracts.names import POD_VOLUMES
from outrider_contracts.places import MANIFEST
from outrider_contracts.tenants import Acceptance
from storage.adapters.directory import DirectoryStore
from storage.adapters.memory import MemoryStore
from storage.adapters.sts import NoCredentials
from storage.adapters.teams_store import TeamsIssuer, TeamsStore
from storage.cases import carry
from storage.domain.refusals import Refused

from tests.integration.storage.platform import (
    MIDNIGHT,
    Platform,
    graph,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
    task_started,
)

END = MIDNIGHT + timedelta(minutes=20)
ORDERS = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
EXTRACT = parse_declaration("extract", mode="volume", outputs={"orders": Output(retention="run")})


@pytest.fixture
def root(platform: Platform, tmp_path: Path) -> Path:
    """The volume, where team ads has its data; S3 is there too."""
    root = tmp_path / "volume"
    root.mkdir()
    store = TeamsStore({"s3": MemoryStore(), "directory": DirectoryStore(root)}, platform.teams)
    issuer = TeamsIssuer({"s3": platform.issuer, "directory": NoCredentials()}, platform.teams)
    platform.work = replace(platform.work, store=store, issuer=issuer)
    platform.onboard("ads", backend="directory")
    return root


def wrote(root: Path, environment: Environment, name: str = "part") -> None:
    """The job wrote a file into each output, as a job does."""
    for output in environment.outputs.values():
        (root / output.path / name).write_text("12345")


async def test_what_a_job_wrote_is_taken_stock_of_at_the_seal(platform: Platform, root: Path) -> None:
    """The fence is the team's, there are no credentials, and the manifest is storage's own."""
    environment = await platform.ensure(task("extract").attempt(1), EXTRACT)
    wrote(root, environment)
    before = (root / ORDERS / MANIFEST).exists()

    sealed = await platform.seal(task("extract").attempt(1))

    assert (environment.mode, environment.fence, environment.credentials) == ("volume", "team", None)
    assert environment.store.directory(ORDERS) == str(root / ORDERS.rstrip("/"))
    assert not before
    assert (sealed.outputs["orders"].files, sealed.outputs["orders"].bytes) == (1, 5)
    assert (root / ORDERS / MANIFEST).exists()
    assert len(await platform.said(EnvironmentSealed)) == 1


async def test_a_version_on_the_volume_goes_as_any_other(platform: Platform, root: Path) -> None:
    """After the run, the grace and the undo window, and only its own directory."""
    await platform.hear(run_started(run()))
    wrote(root, await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.seal(task("extract").attempt(1))
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())
    platform.now = END + timedelta(minutes=11)

    assert await platform.clear() == (1, 0)
    assert (root / ORDERS / "part").exists()
    platform.later(hours=25)
    assert await platform.clear() == (0, 1)

    assert not (root / ORDERS).exists()
    assert (root / ORDERS).parent.exists()


async def test_a_revoked_try_that_goes_on_writes_beside_what_counts(platform: Platform, root: Path) -> None:
    """Nothing keeps it from its own directory of the volume; nothing of that is ever read."""
    first = await platform.ensure(task("extract").attempt(1), EXTRACT)
    second = await platform.ensure(task("extract").attempt(2), EXTRACT)
    wrote(root, second)
    wrote(root, first, "late")

    sealed = await platform.seal(task("extract").attempt(2))
    with pytest.raises(Refused, match="superseded"):
        await platform.seal(task("extract").attempt(1))

    assert sealed.outputs["orders"].files == 1
    assert not (root / ORDERS / MANIFEST).exists()


async def test_a_lost_worker_s_try_is_sealed_by_what_is_there(platform: Platform, root: Path) -> None:
    """kill -9 after the job: Airflow says success, nobody asked for the seal."""
    platform.airflow_says(run(), "running")
    await platform.hear(run_started(run()))
    wrote(root, await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.hear(task_finished(task("extract").attempt(1), "success", platform.now))
    platform.later(minutes=1)

    await platform.tidy()

    (sealed,) = await platform.said(EnvironmentSealed)
    assert (sealed["outcome"], sealed["outputs"]["orders"]["files"]) == ("success", 1)


async def test_an_output_a_job_made_a_link_of_is_missing_and_stops_nobody_else(platform: Platform, root: Path) -> None:
    """It is not followed, and the next pass over other tries goes on."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    (root / ORDERS).rmdir()
    (root / ORDERS.rstrip("/")).symlink_to("/etc")

    with pytest.raises(Refused, match="has not stored 'orders'"):
        await platform.seal(task("extract").attempt(1))
    await platform.hear(task_finished(task("extract").attempt(1), "success", platform.now))
    platform.later(minutes=1)
    await platform.tidy()

    (sealed,) = await platform.said(EnvironmentSealed)
    assert (sealed["outcome"], sealed["outputs"]) == ("failed", {})


async def test_carried_files_lie_on_the_volume_as_pods_mount_it(platform: Platform, root: Path) -> None:
    """In `files` mode stagers reach it; its root is another there, the path below it the same."""
    files = parse_declaration("extract", outputs={"orders": Output()})
    own = await platform.ensure(task("extract").attempt(1), files)
    request = TokenRequest(task=task("extract").attempt(1), run_started_at=MIDNIGHT)
    given = await carry.give(platform.work, request)

    environment = await carry.environment(platform.work, given.token)

    assert own.store.root == str(root)
    assert given.store.root == environment.store.root == POD_VOLUMES
    assert (environment.fence, environment.credentials) == ("task", None)


@pytest.mark.parametrize("mode", ["uris", "volume"])
async def test_a_mode_that_a_team_s_data_does_not_have_is_a_fact_with_the_fix(
    platform: Platform, root: Path, mode: Mode
) -> None:
    platform.onboard("ads", backend="directory" if mode == "uris" else "s3")
    declared = parse_declaration("extract", mode=mode, outputs={"orders": Output()})

    with pytest.raises(Refused, match=f'declares mode="{mode}"'):
        await platform.ensure(task("extract").attempt(1), declared)

    (said,) = await platform.said(EnvironmentRefused)
    assert said["reason"] == "bad-declaration"
    assert said["fix"]


async def test_another_team_s_output_is_out_of_reach(platform: Platform, root: Path) -> None:
    """Granted or not: that team's pods alone mount it."""
    granted = Acceptance.model_validate({"from": "ads", "output": "daily/extract/orders"})
    platform.onboard("news", readable=(granted,))
    wrote(root, await platform.ensure(task("extract").attempt(1), EXTRACT))
    await platform.seal(task("extract").attempt(1))
    declared = parse_declaration("read", inputs={"orders": Input("extract", "orders", dag="daily", team="ads")})

    with pytest.raises(Refused, match="lies on a shared volume, which is mounted for that team alone"):
        await platform.ensure(task("read", team="news").attempt(1), declared)


async def test_a_team_whose_volume_is_not_there_is_refused_and_holds_nobody_up(platform: Platform, root: Path) -> None:
    """Neither its request waits, nor the facts of others behind its own."""
    platform.work = replace(platform.work, store=TeamsStore({"s3": MemoryStore()}, platform.teams))

    await platform.hear(graph(run(), EXTRACT), run_started(run()), task_started(task("extract").attempt(1), EXTRACT))
    await platform.tidy()
    with pytest.raises(Refused, match="the storage service has none") as refused:
        await platform.ensure(task("extract").attempt(1), EXTRACT)

    assert "STORAGE_VOLUME_ROOT" in refused.value.fix
