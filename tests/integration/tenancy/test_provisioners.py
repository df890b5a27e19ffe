"""What every provisioner promises: one suite over each real one and the memory twin, so that the twin stays honest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tenancy.adapters.memory import MemoryProvisioner
from tenancy.adapters.memory_cluster import MemoryCluster
from tenancy.adapters.storage import StorageProvisioner
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, Provisioner

from tests.integration.tenancy.systems import Systems, changed, new_team
from tests.integration.tenancy.test_kubernetes import bound, reaching


@dataclass
class OnCluster:
    """Kubernetes' provisioner, done once the cluster is: it gives the volume to its claim later, and marks both."""

    systems: Systems
    name: str = "kubernetes"

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        return await self.systems.kubernetes_provisioner().plan(wanted)

    async def apply(self, wanted: Wanted) -> Applied:
        applied = await self.systems.kubernetes_provisioner().apply(wanted)
        assert self.systems.kubernetes is not None
        if wanted.spec.storage.backend == "directory":
            async with reaching(self.systems.kubernetes) as core:
                await bound(core, wanted)
        return applied


MEMORY = MemoryCluster()
MAKE: dict[str, Callable[[Systems], Provisioner]] = {
    "memory": lambda _: MemoryProvisioner("memory"),
    "kafka": lambda systems: systems.kafka_provisioner,
    "iam": lambda systems: systems.iam_provisioner,
    "postgres": lambda systems: systems.postgres_provisioner,
    "airflow": lambda systems: systems.airflow_provisioner,
    "storage": lambda _: StorageProvisioner(["s3", "directory"]),
    "kubernetes": OnCluster,
    "kubernetes on memory": lambda systems: systems.kubernetes_provisioner(MEMORY),
}
MEMORY = MemoryCluster()
HAS_NOTHING_TO_MAKE = {"storage"}


@pytest.fixture(params=sorted(MAKE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def provisioner(name: str, systems: Systems, request: pytest.FixtureRequest) -> Provisioner:
    if name == "kubernetes":
        systems.kubernetes = request.getfixturevalue("kubernetes")
    return MAKE[name](systems)


@pytest.fixture
def team(systems: Systems) -> Wanted:
    wanted = new_team(
        kafka={"produceBytesPerSecond": "5Mi"}, postgres={"connectionLimit": 5}, airflow={"pools": {"default": 3}},
        kubernetes={"quota": {"pods": 3, "requests.cpu": "2", "limits.memory": "4Gi"}},
        storage={"backend": "directory"},
    )  # fmt: skip
    systems.roster.teams.append(wanted)
    return wanted


async def test_planning_changes_nothing(provisioner: Provisioner, name: str, team: Wanted) -> None:
    first = await provisioner.plan(team)

    assert await provisioner.plan(team) == first
    assert bool(first) is (name not in HAS_NOTHING_TO_MAKE)


async def test_applying_does_what_was_planned(provisioner: Provisioner, team: Wanted) -> None:
    planned = await provisioner.plan(team)

    assert (await provisioner.apply(team)).changes == planned


async def test_applying_again_changes_nothing(provisioner: Provisioner, team: Wanted) -> None:
    first = await provisioner.apply(team)

    again = await provisioner.apply(team)

    assert again.changes == ()
    assert again.secret_refs == first.secret_refs
    assert await provisioner.plan(team) == ()


async def test_a_suspended_team_stays_suspended_and_comes_back(
    provisioner: Provisioner, name: str, team: Wanted, systems: Systems
) -> None:
    suspended = changed(
        team, lifecycle="Suspended", airflow={"pools": {"default": 3}}, kubernetes={"quota": {"pods": 3}}
    )
    await provisioner.apply(team)

    revoked = await provisioner.apply(suspended)

    assert bool(revoked.changes) is (name not in HAS_NOTHING_TO_MAKE)
    assert await provisioner.plan(suspended) == ()

    await provisioner.apply(team)

    assert await provisioner.plan(team) == ()


async def test_a_team_that_was_never_active_can_be_suspended(provisioner: Provisioner, systems: Systems) -> None:
    suspended = new_team(lifecycle="Suspended")
    systems.roster.teams.append(suspended)

    await provisioner.apply(suspended)

    assert await provisioner.plan(suspended) == ()


async def test_a_deleted_team_has_nothing_left_to_revoke(provisioner: Provisioner, team: Wanted) -> None:
    deleted = changed(team, lifecycle="Deleted")
    await provisioner.apply(team)

    await provisioner.apply(deleted)

    assert await provisioner.plan(deleted) == ()


async def test_credentials_that_were_lost_are_made_anew(
    provisioner: Provisioner, name: str, team: Wanted, systems: Systems
) -> None:
    """Also what a crash leaves between setting a password and keeping it."""
    await provisioner.apply(team)
    connections = systems.root / "connections" / team.team
    files = [systems.root / "secrets" / team.team / name, connections / "outrider", connections / "kubernetes_default"]
    lost = [_lose(file) for file in files if file.exists()]

    assert bool(await provisioner.plan(team)) is bool(lost)

    await provisioner.apply(team)

    assert await provisioner.plan(team) == ()
    assert all(file.read_text() != text for file, text in lost)
    assert all(file.stat().st_mode & 0o777 == 0o600 for file, _ in lost)


def _lose(file: Path) -> tuple[Path, str]:
    text = file.read_text()
    file.unlink()
    return file, text
