"""The directory a local job works in: its own, and gone afterwards, also when the task before it was killed."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "outrider-job-"
_SETTLED_SECONDS = 60.0


@contextmanager
def workplace(parent: Path) -> Iterator[Path]:
    """A new directory (0700) that lasts as long as the context; what killed tasks left beside it goes first.

    The directory is locked while its task lives; the kernel gives the lock up when the task's process is gone.
    """
    _remove_what_killed_tasks_left(parent)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home
    finally:
        _remove(home)
        os.close(lock)


def _remove_what_killed_tasks_left(parent: Path) -> None:
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = left.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < _SETTLED_SECONDS:
                continue  # another user's, or so new that its task may not have locked it yet
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            finally:
                os.close(lock)


def _remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    if not home.exists():
        return
    with suppress(OSError):  # a job may have taken away its own rights
        home.chmod(0o700)
    for at, directories, _ in os.walk(home):
        for name in directories:
            path = os.path.join(at, name)
            if not os.path.islink(path):
                with suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(home, ignore_errors=True)
