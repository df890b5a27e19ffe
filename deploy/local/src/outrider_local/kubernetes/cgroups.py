"""The cgroups that pods of one stack live in: a branch of its own in each hierarchy of the machine, version 1 or 2."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from outrider_local.stack import Stack

_ROOT = Path("/sys/fs/cgroup")
_SHARED = "k8s.io"
"""Where containerd puts what names no cgroup."""
_INHERITED = ("cpuset.cpus", "cpuset.mems")


def name(stack: Stack) -> str:
    """The branch's name."""
    return f"outrider-{stack.state.now.id[:12]}"


def make(stack: Stack) -> None:
    """Have the branch: a kubelet starts only where its root is there."""
    for hierarchy in _hierarchies():
        branch = hierarchy / name(stack)
        branch.mkdir(exist_ok=True)
        for file in _INHERITED:  # empty at first in version 1, and nothing may run where they are
            above, own = hierarchy / file, branch / file
            if above.exists() and own.exists() and not own.read_text().strip():
                own.write_text(above.read_text())


def remove(stack: Stack) -> None:
    """Remove the branch, and of what nodes share what holds no pods of another one."""
    for hierarchy in _hierarchies():
        for top in (hierarchy / name(stack), hierarchy / _SHARED):
            groups = [path for path in top.rglob("*") if path.is_dir()] if top.exists() else []
            for group in (*reversed(groups), top):
                with contextlib.suppress(OSError):  # somebody is in it, or it is gone
                    group.rmdir()


def _hierarchies() -> Iterable[Path]:
    """Mount points of version 1, or the one of version 2."""
    if (_ROOT / "cgroup.controllers").exists():
        return (_ROOT,)
    return tuple(path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink())
