"""Places: where a task's data lies. Pure functions from keys to paths, injective also after URL-decoding.

`/{team}/{dag_id}/{task_id}/{execution_date}[/m{map_index}]/{output}/g{generation}/`. Each segment is escaped so that
only `[A-Za-z0-9_-]`, inner `.` and `~` occur. Generation directories are the only deletable units.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

from outrider_contracts.keys import TaskKey

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LIMIT = 200
_DIGEST = 24
_GENERATION = re.compile(
    r"(?P<place>[A-Za-z0-9_~-][A-Za-z0-9_.~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*){3}(?:/m[0-9]+)?)"
    r"/(?P<output>[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)/g(?P<generation>[1-9][0-9]*)/"
)

MANIFEST = "_manifest.json"
"""Name of the file, written last, that makes a generation directory a version."""


def escape(segment: str) -> str:
    """Spell *segment* so that it is one safe path segment; two segments never share a spelling.

    Bytes outside `[A-Za-z0-9_-]` and inner `.` become `~` and two hex digits; a result over 200 characters is cut and
    closed by `~~` and 24 hex digits of SHA-256.
    """
    raw = segment.encode()
    spelled = "".join(
        chr(byte) if byte in _PLAIN or (byte == 0x2E and 0 < at < len(raw) - 1) else f"~{byte:02x}"
        for at, byte in enumerate(raw)
    )
    if len(spelled) <= _LIMIT:
        return spelled
    return f"{spelled[: _LIMIT - _DIGEST - 2]}~~{hashlib.sha256(raw).hexdigest()[:_DIGEST]}"


def execution_date(logical_date: datetime | None, run_id: str) -> str:
    """The place's fourth segment: `20261101T000000.000000Z`, or `run~…` where Airflow gives no logical date."""
    if logical_date is None:
        return "run~" + escape(run_id)
    return logical_date.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def place(task: TaskKey, logical_date: datetime | None) -> str:
    """The task's place, relative to the store's root, without slashes at its ends. Shared by the task's tries."""
    segments = [task.team, escape(task.dag_id), escape(task.task_id), execution_date(logical_date, task.run_id)]
    if task.map_index >= 0:
        segments.append(f"m{task.map_index}")
    return "/".join(segments)


def generation_path(place_: str, output: str, generation: int) -> str:
    """The directory of one version, ending in a slash, so that it is never a prefix of another."""
    if generation < 1:
        raise ValueError(f"generations count from 1, not {generation}")
    return f"{place_}/{escape(output)}/g{generation}/"


class VersionPath(NamedTuple):
    """A generation directory taken apart."""

    team: str
    place: str
    output: str
    generation: int


def parse_generation_path(path: str) -> VersionPath:
    """Take a generation directory apart. Raises ValueError for anything else: nothing else may be deleted."""
    match = _GENERATION.fullmatch(path)
    if match is None:
        raise ValueError(f"{path!r} is no generation directory")
    return VersionPath(match["place"].split("/", 1)[0], match["place"], match["output"], int(match["generation"]))
