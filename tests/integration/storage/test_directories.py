"""What only directory trees have: symbolic links, which are never followed."""

import os
from pathlib import Path

import pytest
from outrider_contracts.environments import Manifest
from outrider_contracts.places import MANIFEST
from storage.adapters.directory import DirectoryStore
from storage.ports import UnsafePath

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
    return tmp_path / "store"


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
