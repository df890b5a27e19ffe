"""The command `outrider` as a person types it, on a home of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from outrider_local.waiting import wait_until


class Outrider:
    """Runs the command on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "outrider_cli.main", "--home", str(self.home), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


@pytest.fixture
def outrider(tmp_path: Path) -> Iterator[Outrider]:
    command = Outrider(tmp_path / "home")
    yield command
    if command.home.exists():
        command("reset", "--yes")


def test_a_stack_comes_up_answers_and_goes(outrider: Outrider) -> None:
    up = json.loads(outrider("up", "s3", "--json").stdout)
    assert up["ready"]
    assert up["components"][0]["name"] == "s3"
    assert up["components"][0]["resident_bytes"] > 0

    assert wait_until(lambda: states(outrider)["s3"] == "ready", seconds=60)  # one look has no more than 2 s
    assert states(outrider)["kafka"] == "down"

    assert outrider("down").returncode == 0
    assert set(states(outrider).values()) == {"down"}


def states(outrider: Outrider) -> dict[str, str]:
    return {c["name"]: c["state"] for c in json.loads(outrider("status", "--json").stdout)["components"]}


def test_a_home_without_a_stack_is_answered_with_what_to_do(outrider: Outrider) -> None:
    said = outrider("status")

    assert said.returncode == 1
    assert "outrider up" in said.stderr
    assert not outrider.home.exists()


def test_an_unknown_component_is_answered_with_those_there_are(outrider: Outrider) -> None:
    said = outrider("up", "kafak")

    assert said.returncode == 1
    assert "kafka" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_port_that_is_no_number_is_explained(outrider: Outrider) -> None:
    said = outrider("up", "s3", "--port", "s3")

    assert said.returncode == 1
    assert "--port s3" in said.stderr or "NAME=NUMBER" in said.stderr


def test_reset_asks_first(outrider: Outrider) -> None:
    outrider("up", "s3")

    said = outrider("reset")

    assert said.returncode != 0
    assert outrider.home.exists()


def test_no_list_of_processes_shows_a_secret(outrider: Outrider) -> None:
    outrider("up", "s3", "kafka", "postgres")
    secrets = {file.read_text() for file in (outrider.home / "secrets").iterdir() if file.is_file()}

    shown = [
        text
        for process in Path("/proc").glob("[0-9]*")
        for name in ("cmdline", "environ")
        if (text := _read(process / name))
    ]

    assert not [secret for secret in secrets if any(secret in text for text in shown)]


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
