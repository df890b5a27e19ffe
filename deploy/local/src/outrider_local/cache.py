"""The cache all stacks of this user share: each part is made once, whole or not at all."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

from outrider_local.errors import InstallFailed


def make_once(directory: Path, make: Callable[[Path], None]) -> Path:
    """Have *make* fill *directory* unless it is complete; two commands at once wait for one another."""
    complete = directory / ".complete"
    if complete.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            # made in its final place: virtual environments and class archives hold their own path
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(mode=0o755)
            make(directory)
            complete.touch()
    return directory


def run(argv: tuple[str, ...], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program that installs something, and return what it printed. Raises InstallFailed with its last lines."""
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise InstallFailed(f"`{' '.join(argv)}` failed ({done.returncode}):\n{said}")
    return done.stdout


def packaged(name: str) -> str:
    """Text of a file shipped in outrider_local/files."""
    return (resources.files("outrider_local") / "files" / name).read_text()
