"""A demo stack and a test stack live side by side; taking one down leaves the other alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from outrider_local import unprivileged
from outrider_local.components import all_components
from outrider_local.handles import RunningS3
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.s3 import S3
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Stack]:
    """A second stack with S3 running."""
    stack = Stack.open(tmp_path / "other")
    components = with_needs(["s3"], all_components())
    outcome = bring_up(stack, components)
    assert not outcome.failed
    yield stack
    remove(stack, components)


def test_taking_one_down_leaves_the_other_running(s3: RunningS3, other: Stack) -> None:
    assert answers(s3.stack)
    assert answers(other)

    S3().stop(other)

    assert not S3().ready(other)
    assert answers(s3.stack)


def answers(stack: Stack) -> bool:
    """In the end: one look has no more than 2 s."""
    return wait_until(lambda: S3().ready(stack), seconds=30)


def test_removing_a_stack_leaves_nothing_of_it(tmp_path: Path) -> None:
    stack = Stack.open(tmp_path / "gone")
    components = with_needs(["postgres"], all_components())
    assert not bring_up(stack, components).failed
    pids = {pid for name in stack.processes.names() for pid in stack.processes.members(name)}

    remove(stack, components)

    assert not stack.layout.home.exists()
    assert not unprivileged.outside(stack.layout).exists()
    # one that was ended is listed until whoever inherited it has taken notice
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=20)
