"""What the broker did not take: one file per record, written whole, read in the order of writing."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from outrider_contracts.envelope import Record

AWAY_SECONDS = 30.0
_numbers = itertools.count()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spooled:
    """A record and the file that holds it."""

    file: Path
    record: Record


class Spool:
    """A directory on this host. All processes of Airflow on the host may use it at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._marker = directory / "broker-away"

    def add(self, record: Record) -> None:
        """Keep *record*; once this returns it survives a crash."""
        self._make()
        name = f"{time.time_ns():020}-{os.getpid()}-{next(_numbers):06}{_mark_of(record)}.json"
        beside = self._directory / f".{name}"
        headers = [[key, value.decode()] for key, value in record.headers]
        told = {"topic": record.topic, "key": record.key, "value": record.value.decode(), "headers": headers}
        with beside.open("x") as file:
            json.dump(told, file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # whoever drains has to read it, whatever the umask here
            os.fsync(file.fileno())
        beside.rename(self._directory / name)

    def mark_away(self) -> None:
        """Spare the next tasks on this host the wait for a broker that does not answer."""
        self._make()
        _share(self._marker)
        with contextlib.suppress(PermissionError):  # that the next task waits, too, is no reason to lose what is said
            self._marker.touch()

    def away(self) -> bool:
        """Say whether the broker did not answer within the last `AWAY_SECONDS`."""
        try:
            return time.time() - self._marker.stat().st_mtime < AWAY_SECONDS
        except OSError:  # there is none, or it is another user's (a task's run_as_user)
            return False

    def holds_any(self, like: Record | None = None) -> bool:
        """Say whether records wait, of the key of *like* where one is given."""
        return any(like is None or file.stem.endswith(_mark_of(like)) for file in self._files())

    def drain(self, deliver: Callable[[Sequence[Spooled]], None], *, limit: int) -> None:
        """Hand the oldest *limit* records to *deliver*, which removes what the broker took.

        One process at a time drains; another one that comes meanwhile returns at once.
        """
        if not self.holds_any():
            return
        with self._alone() as alone:
            if alone:
                oldest = sorted(self._files())[:limit]
                deliver([spooled for file in oldest if (spooled := _read(file)) is not None])

    def _make(self) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._directory.chmod(0o1777)  # as /tmp is: a task may run as another user (run_as_user)

    def _files(self) -> Iterator[Path]:
        # hidden ones are not written to their end
        return (file for file in self._directory.glob("[0-9]*.json")) if self._directory.is_dir() else iter(())

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        # a lock by process (lockf): one by file (flock) would live on in every task forked meanwhile
        _share(self._directory / "lock")
        with (self._directory / "lock").open("r+") as lock:  # Linux lets nobody make another user's again ("w")
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True


def _share(file: Path) -> None:
    """Have the file there, for tasks of all users to write; the directory lets none remove another's."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
        file.chmod(0o666)


def _mark_of(record: Record) -> str:
    """Ends the names of all files with records of one key."""
    return "-" + hashlib.sha256(str(record.key).encode()).hexdigest()[:8]


def _read(file: Path) -> Spooled | None:
    try:
        told = json.loads(file.read_bytes())
        headers = tuple((key, value.encode()) for key, value in told["headers"])
        return Spooled(file, Record(told["topic"], told["key"], told["value"].encode(), headers))
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, PermissionError) as error:
        _log.warning("%s is no spooled record and holds up no other: %s", file, error)
        with contextlib.suppress(OSError):
            file.rename(file.with_suffix(".bad"))
        return None
