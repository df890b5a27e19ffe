"""Where unix sockets of one stack lie: their paths may have 107 bytes only, which a deep home would exceed."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from outrider_local.errors import StartFailed
from outrider_local.stack import Stack


def directory(stack: Stack) -> Path:
    """The private directory of *stack* for its sockets, named by its id."""
    return _root() / f"outrider-{os.geteuid()}-{stack.state.now.id[:12]}"


def make(stack: Stack) -> Path:
    """Have the directory. Raises StartFailed where somebody else made it: whoever owns it owns the sockets."""
    path = directory(stack)
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StartFailed(f"{path} must be a directory of yours that only you can read; delete it and try again.")
    return path


def remove(stack: Stack, *names: str) -> None:
    """Delete the parts of the directory called *names*, and it, once it is empty."""
    path = directory(stack)
    for part in (path / name for name in names):
        shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
    if path.exists() and not any(path.iterdir()):
        path.rmdir()


def _root() -> Path:
    return Path("/run") if os.geteuid() == 0 and Path("/run").is_dir() else Path(tempfile.gettempdir())
