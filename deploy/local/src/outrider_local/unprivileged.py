"""A user without rights for programs that refuse to run as root, and directories that user can reach."""

import hashlib
import os
import pwd
import shutil
import stat
from pathlib import Path

from outrider_local import cache
from outrider_local.layout import Layout

USER = "outrider-postgres"


def user() -> str | None:
    """The user to run as; None where this is no root. Made the first time."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        cache.run(("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER))
    return USER


def reachable(path: Path) -> bool:
    """Say whether any user can walk down to *path* (a clone below /root often has a 0700 directory above it)."""
    existing = [directory for directory in (path, *path.parents) if directory.exists()]
    return all(directory.stat().st_mode & stat.S_IXOTH for directory in existing)


def outside(layout: Layout) -> Path:
    """Where data of this stack lies that the home cannot hold."""
    return Path("/var/lib/outrider") / hashlib.sha256(str(layout.home).encode()).hexdigest()[:12]


def place(layout: Layout, component: str) -> Path:
    """Where the data of *component* lies: below the home, or outside where that user cannot reach it."""
    below = layout.data(component)
    return below if os.geteuid() != 0 or reachable(below.parent) else outside(layout) / component


def give(path: Path) -> None:
    """Make *path* a private directory of that user."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if name := user():
        shutil.chown(path, name, name)
