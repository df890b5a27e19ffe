"""Tasks of several users on one host, as `run_as_user` has them."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

for_many_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def let_in(directory: Path) -> None:
    """Let every user reach it and write there."""
    directory.chmod(0o777)
    for above in directory.parents[:2]:
        above.chmod(0o755)


def as_user(user: int, act: Callable[[], object]) -> bool:
    """Whether a process of that user came to the end of it."""
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            act()
        finally:
            os._exit(0 if sys.exception() is None else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
