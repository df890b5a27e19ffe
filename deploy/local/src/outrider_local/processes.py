"""Supervision: starts processes of a stack detached from the command, finds them again, and stops those alone."""

import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outrider_local import procfs
from outrider_local.layout import Layout
from outrider_local.state import ProcessRecord, State
from outrider_local.waiting import wait_until

# A component sees these of the caller's environment and nothing else: no cloud keys, no proxies, no PYTHONPATH.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Command:
    """A program to be kept running. Secrets are given as files, never in *argv* or *env*."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workplace: Path | None = None
    """Directory its processes work in, for a program that hides the environment they are otherwise known by."""
    configuration: str = ""
    """Text of the files it reads when it starts: a change of it is a reason to start the program again."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0

    def digest(self) -> str:
        """Changes when the program would be started differently."""
        told = [self.argv, str(self.cwd), sorted(self.env.items()), self.user, self.configuration]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


class Processes:
    """The processes of one stack, by name. A pid is believed only together with its time of birth."""

    def __init__(self, state: State, layout: Layout) -> None:
        self._state = state
        self._layout = layout
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Command) -> bool:
        """Make *command* run under *name*; True when it was started now, False when it runs already.

        One that runs with other arguments is stopped first; children of one that died are cleared away.
        Its output is appended to logs/<name>.log.
        """
        record = self._state.now.processes.get(name)
        if record and self.alive(name) and record.digest == command.digest():
            return False
        self.stop(name)
        with self._layout.log(name).open("ab") as log:
            # not waited for: it outlives this command, in a session of its own
            child = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env=self._environment(name, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user,
                group=command.user,
                extra_groups=[] if command.user else None,
            )
        self._children[name] = child
        self._state.put_process(
            name,
            ProcessRecord(
                pid=child.pid,
                born=procfs.birth(child.pid) or "gone",
                digest=command.digest(),
                program=command.argv[0],
                workplace=str(command.workplace) if command.workplace else None,
                stop_signal=command.stop_signal,
                stop_seconds=command.stop_seconds,
            ),
        )
        return True

    def alive(self, name: str) -> bool:
        """Say whether the process started under *name* still lives."""
        self._reap(name)
        record = self._state.now.processes.get(name)
        return record is not None and procfs.birth(record.pid) == record.born

    def any_alive(self) -> bool:
        return any(self.alive(name) for name in self._state.now.processes)

    def pid(self, name: str) -> int | None:
        record = self._state.now.processes.get(name)
        return record.pid if record and self.alive(name) else None

    def members(self, name: str) -> frozenset[int]:
        """All living processes that belong to *name*: it and whatever it or its children started."""
        record = self._state.now.processes.get(name)
        if record is None:
            return frozenset()
        own = {record.pid} if self.alive(name) else set()
        return frozenset(own | set(self._descendants(name, record)))

    def stop(self, name: str) -> None:
        """Stop what was started under *name*: politely, then by force; return when all of it is gone."""
        record = self._state.now.processes.get(name)
        if record is None:
            return
        if self.alive(name):
            _send(record.pid, record.stop_signal)
            wait_until(lambda: not self.alive(name), seconds=record.stop_seconds)
        for sign, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
            for pid in self.members(name):
                _send(pid, sign)
            if wait_until(lambda: not self.members(name), seconds=patience):
                break
        if child := self._children.pop(name, None):
            child.wait(timeout=5)  # it is gone; this takes away what the system still keeps of it
        self._state.forget_process(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._state.now.processes)

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The last lines *name* wrote."""
        log = self._layout.log(name)
        if not log.exists():
            return "(no log)"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])

    def _mark(self, name: str) -> str:
        return f"{self._state.now.id}/{name}"

    def _environment(self, name: str, command: Command) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        return {**inherited, **command.env, procfs.MARK: self._mark(name)}

    def _descendants(self, name: str, record: ProcessRecord) -> Iterator[int]:
        mark = f"{procfs.MARK}={self._mark(name)}"
        for pid in procfs.living():
            if pid != record.pid and (mark in procfs.marks(pid) or _works_there(pid, record)):
                yield pid

    def _reap(self, name: str) -> None:
        if child := self._children.get(name):
            child.poll()


def _works_there(pid: int, record: ProcessRecord) -> bool:
    return (
        record.workplace is not None
        and procfs.working_directory(pid) == Path(record.workplace)
        and procfs.program(pid) == Path(record.program).resolve()
    )


def _send(pid: int, sign: int) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return
