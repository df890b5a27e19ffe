"""Versions as people and clearing passes look at them: with their keys, their dates and who holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider_contracts.environments import VersionKey
from outrider_contracts.holdings import VersionState

from storage.domain.attempts import Attempt
from storage.records.codec import Connection, Row, version_of

_LISTED = """
SELECT a.team, a.dag_id, a.run_id, a.task_id, a.map_index, v.output, v.generation, v.path,
       v.state, v.due_at, v.not_before, v.bytes, v.reason, v.waiting_for, v.doomed_at, v.epoch, v.present,
       v.retention, v.files, v.cleared_at,
       coalesce(array(SELECT h.holder || CASE WHEN h.reason = '' THEN '' ELSE ': ' || h.reason END
                      FROM storage.holds h
                      WHERE h.path = v.path AND h.released_at IS NULL AND h.expires_at > $1 ORDER BY 1), '{}')
       AS held_by
FROM storage.versions v JOIN storage.attempts a USING (place, generation)
"""


@dataclass(frozen=True)
class Listed:
    """A version with what keeps it and what awaits it."""

    version: VersionKey
    path: str
    state: VersionState
    present: bool
    retention: str
    files: int | None
    bytes: int | None
    due_at: datetime | None
    not_before: datetime | None
    doomed_at: datetime | None
    cleared_at: datetime | None
    reason: str
    waiting_for: str
    held_by: tuple[str, ...]
    epoch: int


async def due(connection: Connection, now: datetime, limit: int) -> list[Listed]:
    """Versions that may be doomed as far as time and holds go; those that waited longest first."""
    return await _list(
        connection,
        "WHERE v.state IN ('open', 'sealed') AND v.due_at <= $1 AND a.try_number IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM storage.holds h WHERE h.path = v.path AND h.released_at IS NULL "
        "AND h.expires_at > $1) ORDER BY v.claimed_at NULLS FIRST, v.due_at LIMIT $2",
        now, limit,
    )  # fmt: skip


async def removable(connection: Connection, now: datetime, abandoned_before: datetime, limit: int) -> list[Listed]:
    """Doomed versions whose undo window is over, and removals nobody is at any more."""
    return await _list(
        connection,
        "WHERE (v.state = 'doomed' AND v.not_before <= $1) OR (v.state = 'clearing' AND v.claimed_at <= $3) "
        "ORDER BY v.claimed_at NULLS FIRST, v.not_before LIMIT $2",
        now, limit, abandoned_before,
    )  # fmt: skip


async def pending(connection: Connection, now: datetime, team: str | None, limit: int) -> list[Listed]:
    """Everything with a date of removal, soonest first; held ones too."""
    return await _list(
        connection,
        "WHERE v.state IN ('open', 'sealed', 'doomed', 'clearing') AND a.state <> 'dropped' "
        "AND coalesce(v.not_before, v.due_at) IS NOT NULL AND ($3::text IS NULL OR a.team = $3) "
        "ORDER BY coalesce(v.not_before, v.due_at), v.path LIMIT $2",
        now, limit, team,
    )  # fmt: skip


async def below(connection: Connection, now: datetime, path: str) -> list[Listed]:
    """The version whose directory is *path*, or all versions of the place *path*."""
    return await _list(connection, "WHERE v.path = $2 OR v.place = rtrim($2, '/') ORDER BY v.path", now, path)


async def of_attempts(connection: Connection, now: datetime, found: Sequence[Attempt]) -> list[Listed]:
    """Every version of these generations, whatever its state."""
    return await _list(
        connection,
        "JOIN unnest($2::text[], $3::int[]) AS f (place, generation) USING (place, generation) ORDER BY v.path",
        now, [one.place for one in found], [one.generation for one in found],
    )  # fmt: skip


async def sizes(connection: Connection, paths: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Files and bytes of each of these versions."""
    rows: list[Row] = await connection.fetch(
        "SELECT path, files, bytes FROM storage.versions WHERE path = ANY($1::text[])", list(paths)
    )
    return {row["path"]: (row["files"] or 0, row["bytes"] or 0) for row in rows}


async def _list(connection: Connection, where: str, now: datetime, *values: object) -> list[Listed]:
    rows: list[Row] = await connection.fetch(_LISTED + where, now, *values)
    names = ("path", "state", "present", "retention", "files", "bytes", "due_at", "not_before", "doomed_at",
             "cleared_at", "reason", "waiting_for", "epoch")  # fmt: skip
    return [
        Listed(version_of(row), held_by=tuple(row["held_by"]), **{name: row[name] for name in names}) for row in rows
    ]
