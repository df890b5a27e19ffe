"""Keeps a program running and starts it anew when a file changes: `python -m outrider_local.watch FILE -- COMMAND…`.

Airflow's dag-processor reads the list of bundles only when it starts; this is how a new team's bundle reaches it.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 10.0


def fingerprint(file: Path) -> object:
    """Differs when *file* was replaced or written; None while it does not exist."""
    try:
        now = file.stat()
    except FileNotFoundError:
        return None
    return now.st_ino, now.st_mtime_ns, now.st_size


def keep(file: Path, command: Sequence[str], stopped: threading.Event) -> None:
    """Run *command* until *stopped* is set. It is started anew when *file* changed, and when it ended by itself."""
    while not stopped.is_set():
        seen = fingerprint(file)
        began = time.monotonic()
        child = subprocess.Popen(command)
        try:
            while child.poll() is None and not stopped.is_set() and fingerprint(file) == seen:
                stopped.wait(_LOOK_SECONDS)
        finally:
            end(child)
        if child.returncode and time.monotonic() - began < _AGAIN_SECONDS:
            stopped.wait(_AGAIN_SECONDS)  # it can't start yet


def end(child: subprocess.Popen[bytes]) -> None:
    """Stop it: politely, then by force."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    file, divider, *command = arguments
    if divider != "--" or not command:
        print("usage: python -m outrider_local.watch FILE -- COMMAND…", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    keep(Path(file), command, stopped)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
