"""A job as a process of this machine: any command in any language, with nothing of Airflow's in its hands."""

import codecs
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from outrider_airflow.guard import guarded

_PR_SET_PDEATHSIG = 1
_LONGEST_LINE = 32 * 1024
_LAST_LINES = 10
_TICK = 0.1
_DRAIN = 1.0

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code (negative: the signal), what it said last, and whether we killed it."""

    exit_code: int
    last_lines: tuple[str, ...]
    killed: bool


class JobProcess:
    """One command in a session of its own. `run` is called once; `kill` may be called from a signal handler."""

    def __init__(self, grace_seconds: float = 3.0) -> None:
        self._grace = grace_seconds
        self._group: int | None = None
        self._kill_at: float | None = None

    @property
    def killed(self) -> bool:
        """Whether somebody asked for its end."""
        return self._kill_at is not None

    def run(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, say: Callable[[str], None]) -> Ended:
        """Start it, hand every line it writes to *say*, and return when it and all its children have ended.

        Whatever interrupts this call ends the job first. Raises OSError where the command cannot be started.
        """
        process = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid()) if _libc else None,
        )
        self._group = process.pid
        if self.killed:
            self._signal(signal.SIGTERM)
        lines = _Lines(say)
        try:
            with guarded(process.pid):
                self._listen(process, lines)
        except BaseException:
            self.kill()
            with suppress(Exception):
                self._listen(process, lines)
            raise
        finally:
            self._signal(signal.SIGKILL)  # what the job left behind; the leader, not reaped yet, keeps the id ours
            self._group = None
            exit_code = process.wait()
            lines.end()
            if process.stdout is not None:
                process.stdout.close()
        return Ended(exit_code, tuple(lines.last), self.killed)

    def kill(self) -> None:
        """Ask the whole group to end; whatever is left of it after the grace is killed by `run`."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
        self._signal(signal.SIGTERM)

    def _listen(self, process: "subprocess.Popen[bytes]", lines: "_Lines") -> None:
        """Read until the pipe is closed and the leader has ended, or a while after the latter."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        os.set_blocking(descriptor, False)
        ended_at: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            is_open = True
            while True:
                if self._kill_at is not None and time.monotonic() > self._kill_at:
                    self._signal(signal.SIGKILL)
                if is_open and selector.select(_TICK):
                    content = _read(descriptor)
                    is_open = content != b""
                    lines.feed(content or b"")
                if ended_at is None and _has_ended(process.pid, block=_TICK if not is_open else 0):
                    ended_at = time.monotonic()
                    self._signal(signal.SIGKILL)  # children it left; they may hold the pipe open
                if ended_at is not None and (not is_open or time.monotonic() > ended_at + _DRAIN):
                    return

    def _signal(self, number: signal.Signals) -> None:
        if self._group is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)


class _Lines:
    """Bytes in, lines out; a very long line is cut, what is not UTF-8 is replaced."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.last: deque[str] = deque(maxlen=_LAST_LINES)

    def feed(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + self._decode.decode(content)).split("\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) > _LONGEST_LINE:
            self._tell(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]

    def end(self) -> None:
        self._rest += self._decode.decode(b"", final=True)
        if self._rest:
            self._tell(self._rest)
        self._rest = ""

    def _tell(self, line: str) -> None:
        line = line.rstrip("\r")
        self.last.append(line)
        self._say(line)


def _read(descriptor: int) -> bytes | None:
    """What is there; b"" at the end, None where nothing is there after all."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return None


def _has_ended(pid: int, block: float) -> bool:
    """Whether the process has ended. It is not reaped, so that its id stays ours; waits up to *block* seconds."""
    until = time.monotonic() + block
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() >= until:
            return False
        time.sleep(0.005)
    return True


def _dies_with(parent: int) -> Callable[[], None]:
    """Have the kernel kill the job when the task's process is killed, so that nothing runs on unseen."""

    def set_in_child() -> None:
        assert _libc is not None
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return set_in_child
