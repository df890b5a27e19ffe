"""What lies in a stack's home: private secrets, and a memory that survives the command."""

import stat
from pathlib import Path

import pytest
from outrider_local.errors import StackError
from outrider_local.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack.open(tmp_path / "home", tmp_path / "cache")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_readable_by_its_owner_alone(stack: Stack) -> None:
    stack.secrets.password("kafka-admin")

    assert mode(stack.secrets.path("kafka-admin")) == 0o600
    assert mode(stack.layout.secrets) == 0o700


def test_a_password_stays_the_same(stack: Stack) -> None:
    first = stack.secrets.password("kafka-admin")

    assert Stack.open(stack.layout.home, stack.layout.cache).secrets.password("kafka-admin") == first
    assert len(first) == 32


def test_a_chosen_port_is_remembered(stack: Stack) -> None:
    stack.ports.set("lineage", 8085)

    assert Stack.open(stack.layout.home, stack.layout.cache).ports.of("lineage") == 8085


def test_git_never_sees_a_home(stack: Stack) -> None:
    assert (stack.layout.home / ".gitignore").read_text() == "*\n"


def test_two_commands_do_not_change_one_stack_at_once(stack: Stack) -> None:
    other = Stack.open(stack.layout.home, stack.layout.cache)

    with stack.exclusively(), pytest.raises(StackError, match="is at work"), other.exclusively():
        pass
