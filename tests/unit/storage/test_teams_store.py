"""Each team's requests go to the store that its document names, and to no other."""

from datetime import UTC, datetime

import pytest
from outrider_contracts.environments import Manifest
from outrider_contracts.http import StoreAddress
from outrider_contracts.tenants import Backend, StorageSpec, TeamSpec, TeamStatus
from storage.adapters.memory import MemoryIssuer, MemoryStore, MemoryTeams
from storage.adapters.sts import NoCredentials
from storage.adapters.teams_store import TeamsIssuer, TeamsStore
from storage.domain.access import Access
from storage.domain.refusals import Refused, Waiting
from storage.ports import RemovalRefused

IN_S3 = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
ON_VOLUME = "news/daily/extract/20261101T000000.000000Z/orders/g1/"
NOBODYS = "nobody/daily/extract/20261101T000000.000000Z/orders/g1/"


def status(team: str, backend: Backend) -> TeamStatus:
    return TeamStatus(
        team=team, uid="0" * 32, observed_generation=1, digest="", phase="Ready",
        spec=TeamSpec(storage=StorageSpec(backend=backend)), revision=1, updated_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip


class Volume(MemoryStore):
    async def address(self, team: str) -> StoreAddress:
        return StoreAddress(kind="directory", root=f"/volume/{team}")


@pytest.fixture
def teams() -> MemoryTeams:
    return MemoryTeams({"ads": status("ads", "s3"), "news": status("news", "directory")})


async def test_a_version_lies_where_its_team_s_document_says(teams: MemoryTeams) -> None:
    s3, volume = MemoryStore(), Volume()
    store = TeamsStore({"s3": s3, "directory": volume}, teams)
    s3.files[IN_S3 + "a"] = volume.files[ON_VOLUME + "a"] = b"1"

    await store.manifests.write(ON_VOLUME, await store.objects.inventory(ON_VOLUME))
    removed = await store.objects.remove(IN_S3)

    assert removed.objects == 1
    assert s3.files == {}
    assert set(volume.files) == {ON_VOLUME + "a", ON_VOLUME + "_manifest.json"}
    assert (await store.address("news")).root == "/volume/news"
    assert store.backends == {"s3", "directory"}


async def test_what_a_store_that_is_not_there_holds_is_never_taken_for_gone(teams: MemoryTeams) -> None:
    """Nor what a team holds that is not known (yet): neither is removed from anywhere."""
    store = TeamsStore({"s3": MemoryStore()}, teams)

    for path, why in ((ON_VOLUME, "the storage service has none"), (NOBODYS, "not known here yet")):
        with pytest.raises(RemovalRefused, match=why):
            await store.objects.remove(path)
        await store.objects.close(path)
    with pytest.raises(Refused, match="the storage service has none"):
        await store.objects.open(ON_VOLUME)
    with pytest.raises(Waiting):
        await store.manifests.read(NOBODYS)


async def test_the_marker_is_kept_everywhere_and_stores_of_two_databases_are_nobody_s(teams: MemoryTeams) -> None:
    """A volume of another platform has to freeze removals in S3 too: which of the two is wrong is not known."""
    s3, volume = MemoryStore(), Volume()
    store = TeamsStore({"s3": s3, "directory": volume}, teams)

    assert await store.marker.read() is None
    await s3.marker.write("mine", 4)
    assert await store.marker.read() == ("mine", 4)
    await store.marker.write("mine", 5)
    assert await volume.marker.read() == ("mine", 5)
    await volume.marker.write("another", 9)

    assert await store.marker.read() == ("another and mine", 9)


async def test_where_a_team_s_data_lies_is_asked_for_once_it_is_settled(teams: MemoryTeams) -> None:
    """And not before: a document that named what is not there may be mended."""
    store = TeamsStore({"s3": MemoryStore()}, teams)
    with pytest.raises(Refused):
        await store.objects.open(ON_VOLUME)

    teams.known["news"] = status("news", "s3")
    assert await store.objects.open(ON_VOLUME)
    teams.known.clear()

    assert await store.objects.open(ON_VOLUME)


async def test_a_team_on_a_volume_gets_no_credentials(teams: MemoryTeams) -> None:
    asked = MemoryIssuer()
    issuer = TeamsIssuer({"s3": asked, "directory": NoCredentials()}, teams)

    assert await issuer.issue(Access("news", "s")) is None
    assert await issuer.issue(Access("ads", "s")) is not None
    assert [access.team for access in asked.issued] == ["ads"]


async def test_an_empty_manifest_is_read_back(teams: MemoryTeams) -> None:
    store = TeamsStore({"s3": MemoryStore(), "directory": Volume()}, teams)

    assert await store.manifests.write(IN_S3, Manifest()) == Manifest()
    assert await store.manifests.read(IN_S3) == Manifest()
