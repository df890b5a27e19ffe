"""What the ports of a store promise, over memory, a directory tree and S3 alike."""

import pytest
from outrider_contracts.environments import Manifest
from outrider_contracts.places import MANIFEST
from storage.ports import UnsafePath

from tests.integration.storage.conftest import Backend

PLACE = "ads/daily/extract/20261101T000000.000000Z"
MINE = f"{PLACE}/orders/g1/"
NEIGHBOURS = (f"{PLACE}/orders/g10/a", f"{PLACE}/orders/g2/a", f"{PLACE}/orders2/g1/a", f"{PLACE}/m1/orders/g1/a")
ODD = ("a//b", "dir/", "f", "f/b", "../up", "%2e%2e/x", "tab\tq", "a b+c:d", "ünï", "_temporary/0/part", "x" * 300)


async def test_a_new_directory_may_be_opened_again_and_again(backend: Backend) -> None:
    assert await backend.store.objects.open(MINE)
    assert await backend.store.objects.open(MINE)


async def test_a_directory_that_holds_something_is_not_given_to_a_try(backend: Backend) -> None:
    await backend.door.put(MINE + "leftover", b"x")

    assert not await backend.store.objects.open(MINE)


async def test_closing_takes_nothing_away_that_somebody_wrote(backend: Backend) -> None:
    await backend.store.objects.open(MINE)
    await backend.door.put(MINE + "written", b"x")

    await backend.store.objects.close(MINE)
    await backend.store.objects.close(f"{PLACE}/never/g1/")

    assert MINE + "written" in await backend.door.keys()


async def test_the_inventory_names_each_file_but_not_the_manifest(backend: Backend) -> None:
    await backend.door.put(MINE + "part-1", b"12345")
    await backend.door.put(MINE + "sub/part-2", b"1")
    await backend.store.manifests.write(MINE, Manifest())
    for neighbour in NEIGHBOURS:
        await backend.door.put(neighbour, b"x")

    inventory = await backend.store.objects.inventory(MINE)

    assert [(file.path, file.size) for file in inventory.files] == [("part-1", 5), ("sub/part-2", 1)]


async def test_nothing_there_is_an_empty_inventory_and_no_manifest(backend: Backend) -> None:
    assert await backend.store.objects.inventory(MINE) == Manifest()
    assert await backend.store.manifests.read(MINE) is None


async def test_the_first_manifest_stands(backend: Backend) -> None:
    first = Manifest(files=(Manifest.File(path="a", size=1),))

    assert await backend.store.manifests.write(MINE, first) == first
    assert await backend.store.manifests.write(MINE, Manifest()) == first
    assert await backend.store.manifests.read(MINE) == first


async def test_removal_takes_exactly_this_directory(backend: Backend) -> None:
    await backend.door.put(MINE + "a", b"123")
    await backend.door.put(MINE + "deep/er/b", b"4567")
    await backend.store.manifests.write(MINE, Manifest())
    for neighbour in NEIGHBOURS:
        await backend.door.put(neighbour, b"x")

    removal = await backend.store.objects.remove(MINE)

    assert removal.objects == 3
    assert removal.bytes >= 7
    assert await backend.door.keys() == set(NEIGHBOURS)


async def test_removing_what_is_gone_is_a_success(backend: Backend) -> None:
    removal = await backend.store.objects.remove(MINE)

    assert (removal.objects, removal.bytes) == (0, 0)


@pytest.mark.parametrize(
    "path",
    ["", "/", "ads/", "ads/daily/", PLACE + "/", f"{PLACE}/orders/", f"{PLACE}/orders/g1", f"{PLACE}/orders/g0/",
     f"{PLACE}/../orders/g1/", f"/{MINE}", f"{MINE}x/", f"{PLACE}/orders/g1/\n", "_outrider/a/b/c/d/g1/../g1/"],
)  # fmt: skip
async def test_only_generation_directories_are_ever_touched(backend: Backend, path: str) -> None:
    await backend.door.put(MINE + "a", b"x")

    with pytest.raises(UnsafePath):
        await backend.store.objects.remove(path)
    with pytest.raises(UnsafePath):
        await backend.store.objects.open(path)
    with pytest.raises(UnsafePath):
        await backend.store.manifests.write(path, Manifest())
    assert await backend.door.keys() == {MINE + "a"}


async def test_odd_keys_are_listed_as_they_are_and_removed_without_a_trace(backend: Backend) -> None:
    if not backend.flat:
        pytest.xfail("a directory tree can't hold most of these names")
    for key in ODD:
        await backend.door.put(MINE + key, b"x")

    inventory = await backend.store.objects.inventory(MINE)
    await backend.store.objects.remove(MINE)

    assert {file.path for file in inventory.files} == set(ODD)
    assert await backend.door.keys() == set()


async def test_more_keys_than_one_call_takes_are_removed(backend: Backend) -> None:
    for number in range(1005):
        await backend.door.put(f"{MINE}part-{number:04}", b"x")

    removal = await backend.store.objects.remove(MINE)

    assert removal.objects == 1005
    assert await backend.door.keys() == set()


async def test_the_marker_is_kept_beside_the_data(backend: Backend) -> None:
    assert await backend.store.marker.read() is None

    await backend.store.marker.write("one", 3)
    await backend.store.marker.write("one", 4)

    assert await backend.store.marker.read() == ("one", 4)


async def test_a_manifest_that_is_none_of_ours_makes_no_version(backend: Backend) -> None:
    await backend.door.put(MINE + MANIFEST, b"not json")

    assert await backend.store.manifests.read(MINE) is None
