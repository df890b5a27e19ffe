"""What only directory trees have: symbolic links, which are never followed."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from outrider_bus.ports import UnavailableError
from outrider_contracts.environments import Manifest
from outrider_contracts.places import MANIFEST
from storage.adapters.directory import DirectoryStore
from storage.ports import RemovalRefused, UnsafePath

PLACE = "ads/daily/extract/20261101T000000.000000Z"
MINE = f"{PLACE}/orders/g1/"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that is none of the store's business."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    return outside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    return root


async def test_a_link_inside_a_version_is_removed_and_not_what_it_names(root: Path, outside: Path) -> None:
    store = DirectoryStore(root)
    await store.objects.open(MINE)
    (root / MINE / "link").symlink_to(outside)
    (root / MINE / "file").symlink_to(outside / "precious")

    inventory = await store.objects.inventory(MINE)
    await store.objects.remove(MINE)

    assert inventory == Manifest()
    assert not (root / MINE).exists()
    assert (outside / "precious").exists()


@pytest.mark.parametrize("segment", ["ads", PLACE, f"{PLACE}/orders", f"{PLACE}/orders/g1"])
async def test_a_link_on_the_way_is_never_followed(root: Path, outside: Path, segment: str) -> None:
    store = DirectoryStore(root)
    (root / segment).parent.mkdir(parents=True, exist_ok=True)
    (root / segment).symlink_to(outside)

    for act in (store.objects.open, store.objects.inventory, store.objects.remove):
        with pytest.raises(UnsafePath):
            await act(MINE)
    assert os.listdir(outside) == ["precious"]


async def test_a_manifest_that_is_a_link_is_no_manifest(root: Path, outside: Path) -> None:
    store = DirectoryStore(root)
    await store.objects.open(MINE)
    (outside / "manifest").write_text("{}")
    (root / MINE / MANIFEST).symlink_to(outside / "manifest")

    assert await store.manifests.read(MINE) is None


async def test_closing_leaves_no_empty_directory(root: Path) -> None:
    store = DirectoryStore(root)
    await store.objects.open(MINE)

    await store.objects.close(MINE)

    assert not (root / MINE).exists()


async def test_a_job_of_any_user_may_write_its_generation_and_nothing_above_it(root: Path) -> None:
    """Whatever the umask is, and also where somebody was interrupted while the directories were made."""
    umask = os.umask(0o077)
    try:
        (root / "ads" / "daily").mkdir(parents=True)
        await DirectoryStore(root).objects.open(MINE)
    finally:
        os.umask(umask)

    modes = [(root / Path(*Path(MINE).parts[:depth])).stat().st_mode & 0o777 for depth in range(1, 7)]
    assert [oct(mode) for mode in modes] == ["0o755"] * 5 + ["0o777"]


async def test_a_manifest_that_storage_wrote_may_be_read_by_jobs(root: Path) -> None:
    """Stagers in pods read it as their team's user."""
    umask = os.umask(0o077)
    try:
        await DirectoryStore(root).manifests.write(MINE, Manifest())
    finally:
        os.umask(umask)

    assert (root / MINE / MANIFEST).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("left", ["fifo", "huge"])
async def test_nothing_a_job_leaves_as_a_manifest_holds_the_service_up(root: Path, left: str) -> None:
    """A pipe that nobody writes to is not waited for, a file without end not read."""
    store = DirectoryStore(root)
    await store.objects.open(MINE)
    if left == "fifo":
        os.mkfifo(root / MINE / MANIFEST)
    else:
        with (root / MINE / MANIFEST).open("wb") as file:
            file.truncate(1 << 40)

    async with asyncio.timeout(5):
        assert await store.manifests.read(MINE) is None


async def test_a_draft_of_a_killed_service_is_no_file_of_the_version(root: Path) -> None:
    store = DirectoryStore(root)
    await store.objects.open(MINE)
    (root / MINE / f".{MANIFEST}.0123").write_text("{")
    (root / MINE / "a").write_text("1")

    assert [file.path for file in (await store.objects.inventory(MINE)).files] == ["a"]


async def test_a_root_that_is_away_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    """What is on it would be recorded as removed."""
    store = DirectoryStore(tmp_path / "unmounted")

    for act in (store.objects.open, store.objects.inventory, store.objects.remove, store.manifests.read):
        with pytest.raises(UnavailableError, match="the shared volume is away"):
            await act(MINE)
    assert not (tmp_path / "unmounted").exists()


@pytest.fixture
def held_back() -> Iterator[Path]:
    """A directory of somebody whom rights hold back, who we are meanwhile: root may do everything."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)
    os.seteuid(before)


async def test_what_can_not_be_removed_is_not_taken_for_removed(held_back: Path) -> None:
    root, store = held_back, DirectoryStore(held_back)
    await store.objects.open(MINE)
    (root / MINE / "sub").mkdir()
    (root / MINE / "sub" / "a").write_text("1")
    (root / MINE / "sub").chmod(0o500)

    with pytest.raises(RemovalRefused):
        await store.objects.remove(MINE)
    (root / MINE / "sub").chmod(0o700)

    assert (await store.objects.remove(MINE)).objects == 1
