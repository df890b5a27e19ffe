"""What the system says about processes: who is alive, since when, started by whom, with how much memory."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROC = Path("/proc")
MARK = "OUTRIDER_STACK"


@cache
def _boot() -> str:
    boot_id = PROC / "sys/kernel/random/boot_id"
    return boot_id.read_text().strip() if boot_id.exists() else "boot"


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on (the name before it may hold spaces)."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def birth(pid: int) -> str | None:
    """Identify the living process *pid* beyond its number; None when there is none (a zombie is none)."""
    if PROC.exists():
        fields = _stat(pid)
        return None if fields is None or fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    said = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = said.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def living() -> Iterator[int]:
    """Pids of all living processes; empty where /proc does not exist."""
    for entry in PROC.iterdir() if PROC.exists() else ():
        if entry.name.isdigit() and birth(int(entry.name)) is not None:
            yield int(entry.name)


def marks(pid: int) -> tuple[str, ...]:
    """Marks of a stack in the environment the process was started with (children inherit them)."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode() for part in environment.split(b"\0") if part.startswith(MARK.encode()))


def arguments(pid: int) -> tuple[bytes, ...]:
    """The command line of *pid*; empty when it is gone."""
    try:
        return tuple((PROC / str(pid) / "cmdline").read_bytes().split(b"\0"))
    except OSError:
        return ()


def working_directory(pid: int) -> Path | None:
    try:
        return Path(os.readlink(PROC / str(pid) / "cwd"))
    except OSError:
        return None


def program(pid: int) -> Path | None:
    try:
        return Path(os.readlink(PROC / str(pid) / "exe"))
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """Proportional resident memory (pages shared by n processes count 1/n each); 0 when it cannot be read."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
