"""Places: where a task's data lies. Pure functions from keys to paths, injective also after URL-decoding.

`/{team}/{dag_id}/{task_id}/{execution_date}[/m{map_index}]/{output}/g{generation}/`. Each segment is escaped so that
only `[A-Za-z0-9_-]`, inner `.` and `~` occur. Generation directories are the only deletable units.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple

from outrider_contracts.keys import TaskKey
from outrider_contracts.names import check_team_id

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LIMIT = 200
_DIGEST = 24
_INDEX = re.compile(r"m(0|[1-9][0-9]*)")
_CHARACTER = r"(?:[A-Za-z0-9_-]|~[0-9a-f]{2})"
_SEGMENT = rf"(?:{_CHARACTER}(?:(?:{_CHARACTER}|\.)*{_CHARACTER})?)"
_CUT = r"(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]{173}~~[0-9a-f]{24})"
_NAMED = rf"(?:{_CUT}|{_SEGMENT})"
_DATE = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
_GENERATION = re.compile(
    rf"(?P<place>(?P<team>[a-z0-9-]+)/{_NAMED}/{_NAMED}/(?:{_DATE}|run~{_NAMED})(?:/{_INDEX.pattern})?)"
    rf"/(?P<output>{_SEGMENT})/g(?P<generation>[1-9][0-9]*)/",
    re.ASCII,
)

MANIFEST = "_manifest.json"
"""Name of the file, written last, that makes a generation directory a version."""
LARGEST_MANIFEST = 64 << 20
"""Its bytes at most: half a million files. A job may write one itself, and storage reads it into its memory."""


def escape(segment: str) -> str:
    """Spell *segment* so that it is one safe path segment; two segments never share a spelling.

    Bytes outside `[A-Za-z0-9_-]` and inner `.` become `~` and two hex digits; a result over 200 characters is cut and
    closed by `~~` and 24 hex digits of SHA-256. Raises ValueError for an empty segment.
    """
    raw = segment.encode()
    if not raw:
        raise ValueError("an empty name has no place")
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
    if logical_date.tzinfo is None:
        raise ValueError(f"{logical_date} has no time zone")
    utc = logical_date.astimezone(UTC)
    return f"{utc.year:04}{utc:%m%dT%H%M%S.%fZ}"


def place(task: TaskKey, logical_date: datetime | None) -> str:
    """The task's place, relative to the store's root, without slashes at its ends. Shared by the task's tries."""
    segments = [task.team, escape(task.dag_id), escape(task.task_id), execution_date(logical_date, task.run_id)]
    if task.map_index >= 0:
        segments.append(f"m{task.map_index}")
    return "/".join(segments)


def generation_path(place_: str, output: str, generation: int) -> str:
    """The directory of one version, ending in a slash, so that it is never a prefix of another.

    An output named like a map index (`m0`) gets its first letter escaped: `…/m0/g1/` would hold the output `g1` of
    the mapped instance 0. Raises ValueError where the output's name is too long to stand unshortened.
    """
    if generation < 1:
        raise ValueError(f"generations count from 1, not {generation}")
    spelled = escape(output)
    if "~~" in spelled:
        raise ValueError(f"output name {output!r} is too long")
    if _INDEX.fullmatch(spelled):
        spelled = f"~6d{spelled[1:]}"
    return f"{place_}/{spelled}/g{generation}/"


class VersionPath(NamedTuple):
    """A generation directory taken apart. `output` is the name as declared."""

    team: str
    place: str
    output: str
    generation: int


def parse_generation_path(path: str) -> VersionPath:
    """Take a generation directory apart. Raises ValueError for anything else: nothing else may be deleted."""
    match = _GENERATION.fullmatch(path)
    if match is None:
        raise ValueError(f"{path!r} is no generation directory")
    output = re.sub(rb"~(..)", lambda byte: bytes.fromhex(byte[1].decode()), match["output"].encode()).decode()
    taken_apart = VersionPath(check_team_id(match["team"]), match["place"], output, int(match["generation"]))
    if generation_path(taken_apart.place, output, taken_apart.generation) != path:
        raise ValueError(f"{path!r} is spelled as no generation directory is")
    return taken_apart
