"""A program that is started anew when a file changes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from outrider_local.waiting import wait_until

PROGRAM = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator["Watched"]:
    """A watcher over an empty list, keeping a program that notes its pid."""
    (tmp_path / "list.json").write_text("[]")
    watched = Watched(tmp_path)
    assert wait_until(lambda: len(watched.pids()) == 1, seconds=20)
    yield watched
    watched.process.terminate()
    watched.process.wait(20)


class Watched:
    """The watcher, the file it looks at, and the pids its program had."""

    def __init__(self, directory: Path) -> None:
        self.file, self._noted = directory / "list.json", directory / "pids"
        program = (sys.executable, "-c", PROGRAM, str(self._noted))
        self.process = subprocess.Popen((sys.executable, "-m", "outrider_local.watch", str(self.file), "--", *program))

    def pids(self) -> list[int]:
        return [int(pid) for pid in self._noted.read_text().split()] if self._noted.exists() else []

    def replace(self, text: str) -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.file)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_replaced_file_starts_the_program_anew(watched: Watched) -> None:
    watched.replace('["ads"]')

    assert wait_until(lambda: len(watched.pids()) == 2, seconds=20)
    first, second = watched.pids()
    assert not alive(first)
    assert alive(second)


def test_a_program_that_was_killed_is_started_again(watched: Watched) -> None:
    os.kill(watched.pids()[0], signal.SIGKILL)

    assert wait_until(lambda: len(watched.pids()) == 2, seconds=20)


def test_the_program_ends_with_its_watcher(watched: Watched) -> None:
    (pid,) = watched.pids()

    watched.process.terminate()
    watched.process.wait(20)

    assert not alive(pid)
