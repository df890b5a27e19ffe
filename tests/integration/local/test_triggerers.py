"""A triggerer per team, kept running; here a program that notes what it was told."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from outrider_local.waiting import wait_until

PROGRAM = """
import os, sys, time
told = os.environ["AIRFLOW__SECRETS__BACKEND_KWARGS"]
open(sys.argv[1], "a").write(f"{os.getpid()}\\t{' '.join(sys.argv[2:])}\\t{told}\\n")
time.sleep(600)
"""


@dataclass
class Kept:
    """The list of bundles, and what the programs noted: pid, arguments, what the secrets backend is told."""

    directory: Path

    def bundles(self, *teams: str) -> None:
        beside = self.directory / "bundles.new"
        beside.write_text(json.dumps([{"name": team, "team_name": team} for team in teams] + [{"name": "shared"}]))
        beside.replace(self.directory / "bundles.json")

    def noted(self) -> list[tuple[int, str, dict[str, str]]]:
        file = self.directory / "noted"
        lines = [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []
        return [(int(pid), arguments, json.loads(backend)) for pid, arguments, backend in lines]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Triggerers of the team ads."""
    kept = Kept(tmp_path)
    kept.bundles("ads")
    told = (str(tmp_path / "bundles.json"), "/connections", "--", sys.executable, "-c", PROGRAM)
    process = subprocess.Popen([sys.executable, "-m", "outrider_local.triggerers", *told, str(tmp_path / "noted")])
    assert wait_until(lambda: len(kept.noted()) == 1, seconds=20)
    yield kept
    process.terminate()
    process.wait(20)

    assert not [pid for pid, *_ in kept.noted() if alive(pid)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_team_that_comes_gets_one_that_knows_its_team(kept: Kept) -> None:
    """The others' run on."""
    kept.bundles("ads", "news")

    assert wait_until(lambda: len(kept.noted()) == 2, seconds=20)
    assert [(arguments, backend["team"]) for _, arguments, backend in kept.noted()] == [
        ("--team-name ads", "ads"),
        ("--team-name news", "news"),
    ]
    assert all(alive(pid) for pid, *_ in kept.noted())


def test_that_of_a_team_without_a_bundle_ends(kept: Kept) -> None:
    ((pid, *_),) = kept.noted()
    kept.bundles()

    assert wait_until(lambda: not alive(pid), seconds=20)


def test_one_that_dies_is_started_again(kept: Kept) -> None:
    ((pid, *_),) = kept.noted()
    os.kill(pid, signal.SIGKILL)

    assert wait_until(lambda: len(kept.noted()) == 2, seconds=30)
