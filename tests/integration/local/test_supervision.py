"""A stack stops what it started and nothing else, and finds what it started again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from outrider_local import procfs
from outrider_local.errors import StartFailed
from outrider_local.processes import Command
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

# a parent with a child in a session of its own, as jobs of tasks are
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""


@pytest.fixture
def own(tmp_path: Path) -> Stack:
    """A stack with no components."""
    return Stack.open(tmp_path / "home", tmp_path / "cache")


def family(stack: Stack, told: Path) -> int:
    """Start the parent under the name "family"; return the child's pid."""
    stack.processes.start("family", Command((sys.executable, "-c", FAMILY, str(told)), cwd=told.parent))
    assert wait_until(lambda: told.exists() and told.read_text() != "", seconds=20)
    return int(told.read_text())


def test_stopping_takes_the_children_along(own: Stack, tmp_path: Path) -> None:
    child = family(own, tmp_path / "child")

    own.processes.stop("family")

    assert procfs.birth(child) is None
    assert own.processes.names() == ()


def test_children_of_a_killed_parent_are_cleared_before_it_starts_again(own: Stack, tmp_path: Path) -> None:
    child = family(own, tmp_path / "child")
    parent = own.processes.pid("family")
    assert parent is not None
    os.kill(parent, signal.SIGKILL)
    assert wait_until(lambda: not own.processes.alive("family"), seconds=10)

    second = family(own, tmp_path / "second")
    own.processes.stop("family")

    assert procfs.birth(child) is None
    assert procfs.birth(second) is None


def test_another_process_under_a_remembered_number_is_left_alone(own: Stack, tmp_path: Path) -> None:
    family(own, tmp_path / "child")
    record = own.state.now.processes["family"]
    own.processes.stop("family")
    with subprocess.Popen(["sleep", "600"]) as foreign:
        own.state.put_process("family", record.model_copy(update={"pid": foreign.pid}))

        own.processes.stop("family")

        assert foreign.poll() is None
        foreign.kill()


def test_a_second_start_changes_nothing(own: Stack, tmp_path: Path) -> None:
    command = Command(("sleep", "600"), cwd=tmp_path)
    assert own.processes.start("sleeper", command)
    pid = own.processes.pid("sleeper")

    assert not own.processes.start("sleeper", command)
    assert own.processes.pid("sleeper") == pid
    own.processes.stop("sleeper")


def test_other_arguments_start_it_anew(own: Stack, tmp_path: Path) -> None:
    own.processes.start("sleeper", Command(("sleep", "600"), cwd=tmp_path))
    pid = own.processes.pid("sleeper")

    assert own.processes.start("sleeper", Command(("sleep", "601"), cwd=tmp_path))
    assert own.processes.pid("sleeper") != pid
    own.processes.stop("sleeper")


def test_a_component_sees_nothing_of_the_callers_keys(
    own: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")

    own.processes.start("printer", Command(("env",), cwd=tmp_path))
    assert wait_until(lambda: not own.processes.alive("printer"), seconds=20)

    assert "canary" not in own.processes.log_tail("printer", 100)
    assert "OUTRIDER_STACK" in own.processes.log_tail("printer", 100)


def test_the_death_of_one_is_not_waited_out_beside_another(own: Stack, tmp_path: Path) -> None:
    """What only both can bring about will not come."""
    own.processes.start("lasting", Command(("sleep", "600"), cwd=tmp_path))
    own.processes.start("dying", Command(("false",), cwd=tmp_path))

    with pytest.raises(StartFailed, match="dying ended while starting"):
        own.await_all_ready(("lasting", "dying"), lambda: False, seconds=60)
    own.processes.stop("lasting")
