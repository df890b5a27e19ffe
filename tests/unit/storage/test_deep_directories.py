"""What a job nested deeper than this process can follow, on a volume that it writes to itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage.adapters.directory import DirectoryStore
from storage.ports import UnsafePath

PATH = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A root with such a generation; Python's own removal can't take it away either."""
    (tmp_path / PATH).mkdir(parents=True)
    here = os.open(tmp_path / PATH, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "ads")], check=True)


async def test_it_is_no_output_and_is_not_removed(deep: Path) -> None:
    """Both are words for what is the job's own fault; any other error ends the pass, and the others' turn with it."""
    objects = DirectoryStore(deep).objects

    for act in (objects.inventory, objects.remove):
        with pytest.raises(UnsafePath, match="nested"):
            await act(PATH)
