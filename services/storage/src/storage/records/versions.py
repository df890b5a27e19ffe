"""Versions: one generation of one output, from its opening to its removal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from outrider_contracts.environments import Manifest, VersionKey
from outrider_contracts.holdings import VersionState
from outrider_contracts.keys import RunKey

from storage.domain.attempts import Attempt
from storage.domain.resolution import Candidate
from storage.domain.retention import ClearingPlan, Kept
from storage.records.codec import Connection, Row, run_columns, run_of, task_of

_JOINED = """
FROM storage.versions v JOIN storage.attempts a USING (place, generation)
"""
_KEY = "a.team, a.dag_id, a.run_id, a.task_id, a.map_index, v.output, v.generation, v.path"

_CANDIDATES = f"""
SELECT {_KEY}, a.run_started_at, a.try_number, a.run_after, a.logical_date, v.state, v.present,
       a.state AS attempt_state, v.retention, v.reason, coalesce(v.cleared_at, v.doomed_at) AS gone_at, e.state AS ended
{_JOINED}
LEFT JOIN storage.ends e USING (team, dag_id, run_id, task_id, map_index, run_started_at, try_number)
WHERE (a.team, a.dag_id, a.task_id, v.output) = ($1, $2, $3, $4) AND a.state <> 'dropped'
  AND ($5::text IS NULL OR a.run_id = $5)
ORDER BY a.run_after DESC, a.run_started_at DESC
LIMIT 10000
"""

# for each version: is it the newest readable one of its part's output, and did its try have the directory at all
_KEPT = f"""
SELECT v.path, v.retention, a.failed_retention, v.state, a.try_number IS NOT NULL AS used,
       (v.present AND a.outcome = 'success') AS succeeded,
       row_number() OVER (PARTITION BY a.task_id, a.map_index, v.output, (v.present AND a.outcome = 'success'
                                                                        AND v.state IN ('open', 'sealed'))
                          ORDER BY a.run_started_at DESC, a.try_number DESC NULLS LAST) = 1 AS newest
{_JOINED}
WHERE (a.team, a.dag_id, a.run_id) = ($1, $2, $3) AND v.state IN ('open', 'sealed') AND a.state <> 'dropped'
"""

_LISTED = f"""
SELECT {_KEY}, v.state, v.due_at, v.not_before, v.bytes, v.reason, v.waiting_for, v.doomed_at, v.epoch, v.present,
       v.retention, v.files, v.cleared_at,
       coalesce(array(SELECT h.holder || CASE WHEN h.reason = '' THEN '' ELSE ': ' || h.reason END
                      FROM storage.holds h
                      WHERE h.path = v.path AND h.released_at IS NULL AND h.expires_at > $1 ORDER BY 1), '{{}}')
       AS held_by
{_JOINED}
"""  # noqa: S608 - only constants of this module


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


async def candidates(
    connection: Connection, team: str, dag_id: str, task_id: str, output: str, run_id: str | None = None
) -> list[Candidate]:
    """Versions of the output, newest run first, whatever their state."""
    rows: list[Row] = await connection.fetch(_CANDIDATES, team, dag_id, task_id, output, run_id)
    return [_candidate(row) for row in rows]


async def lock_readable(connection: Connection, paths: list[str]) -> set[str]:
    """Those of *paths* that are sealed now, locked so that nobody dooms them before this transaction ends."""
    rows: list[Row] = await connection.fetch(
        "SELECT path FROM storage.versions WHERE path = ANY($1::text[]) AND state = 'sealed' ORDER BY path FOR SHARE",
        paths,
    )
    return {row["path"] for row in rows}


async def all_open(connection: Connection, attempt: Attempt) -> bool:
    """Whether the attempt may still write: nothing of it was sealed, doomed or cleared. It stays so until the end."""
    rows: list[Row] = await connection.fetch(
        "SELECT state FROM storage.versions WHERE (place, generation) = ($1, $2) ORDER BY path FOR SHARE",
        attempt.place, attempt.generation,
    )  # fmt: skip
    return all(row["state"] == "open" for row in rows)


async def set_found(connection: Connection, attempt: Attempt, outcome: str, found: Mapping[str, Manifest]) -> None:
    """Seal the attempt's versions; an output that is not there has no files, but its directory is cleared like any."""
    outputs = list(attempt.declaration.outputs)
    there = [found.get(name) for name in outputs]
    await connection.execute(
        "UPDATE storage.versions v SET state = 'sealed', present = f.present, files = f.files, bytes = f.bytes "
        "FROM unnest($3::text[], $4::boolean[], $5::int[], $6::bigint[]) AS f (output, present, files, bytes) "
        "WHERE (v.place, v.generation, v.output) = ($1, $2, f.output) AND v.state = 'open'",
        attempt.place, attempt.generation, outputs, [m is not None and outcome == "success" for m in there],
        [0 if m is None else len(m.files) for m in there], [0 if m is None else m.size for m in there],
    )  # fmt: skip


async def kept(connection: Connection, run: RunKey) -> dict[str, Kept]:
    """What decides about each version of the run that is still there, by path."""
    rows: list[Row] = await connection.fetch(_KEPT, *run_columns(run))
    return {
        row["path"]: Kept(
            row["retention"], row["failed_retention"], current=bool(row["succeeded"] and row["newest"]),
            succeeded=bool(row["succeeded"]), used=row["used"],
        )
        for row in rows
    }  # fmt: skip


async def unplanned(connection: Connection, limit: int) -> list[RunKey]:
    """Ended runs with versions nobody has planned the clearing of: those of tries that came after the end."""
    rows: list[Row] = await connection.fetch(
        "SELECT DISTINCT a.team, a.dag_id, a.run_id FROM storage.versions v "
        "JOIN storage.attempts a USING (place, generation) JOIN storage.runs r USING (team, dag_id, run_id) "
        "WHERE v.reason = '' AND v.state IN ('open', 'sealed') "
        "AND (r.finished_at IS NOT NULL OR r.deleted_at IS NOT NULL) LIMIT $1",
        limit,
    )
    return [run_of(row) for row in rows]


async def set_plans(connection: Connection, plans: Mapping[str, ClearingPlan]) -> None:
    """Write when each version is due."""
    await connection.execute(
        "UPDATE storage.versions v SET due_at = p.due_at, reason = p.reason, waiting_for = '' "
        "FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS p (path, due_at, reason) "
        "WHERE v.path = p.path AND v.state IN ('open', 'sealed') "
        "AND (v.due_at, v.reason) IS DISTINCT FROM (p.due_at, p.reason)",
        list(plans), [plan.due_at for plan in plans.values()], [plan.reason for plan in plans.values()],
    )  # fmt: skip


async def lock_run(connection: Connection, run: RunKey) -> None:
    """Until the transaction ends nobody else plans this run's clearing: the last to plan has seen every fact.

    Taken before anything else in a transaction that plans, so that two of them never wait for each other in a circle.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))", run.record_key)


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


async def set_waiting(connection: Connection, paths: list[str], why: str, now: datetime) -> None:
    """Say why nothing happens with them; others come first next time."""
    await connection.execute(
        "UPDATE storage.versions SET waiting_for = $2, claimed_at = $3 "
        "WHERE path = ANY($1::text[]) AND state IN ('open', 'sealed', 'doomed')",
        paths, why, now,
    )  # fmt: skip


async def doom(connection: Connection, path: str, now: datetime, undo: timedelta) -> Listed | None:
    """Put the version out of reach, unless it is held or no longer due; returns it as it stands then."""
    locked = await connection.fetchval(
        "SELECT path FROM storage.versions WHERE path = $1 AND state IN ('open', 'sealed') AND due_at <= $2 FOR UPDATE",
        path, now,
    )  # fmt: skip
    if locked is None:
        return None
    # a statement of its own, so that it sees holds taken while the row was waited for
    changed = await connection.fetchval(
        "UPDATE storage.versions v SET state = 'doomed', doomed_at = $2, not_before = $3, waiting_for = '', "
        "claimed_at = NULL, epoch = epoch + 1 WHERE path = $1 AND NOT EXISTS (SELECT FROM storage.holds h "
        "WHERE h.path = v.path AND h.released_at IS NULL AND h.expires_at > $2) RETURNING path",
        path, now, now + undo,
    )  # fmt: skip
    return None if changed is None else (await below(connection, now, path))[0]


async def restore(connection: Connection, path: str) -> bool:
    """Take a doomed version back; False where it is not doomed (any more)."""
    changed = await connection.fetchval(
        "UPDATE storage.versions v SET state = CASE WHEN a.state = 'sealed' THEN 'sealed' ELSE 'open' END, "
        "doomed_at = NULL, not_before = NULL, epoch = v.epoch + 1 FROM storage.attempts a "
        "WHERE v.path = $1 AND v.state = 'doomed' AND (a.place, a.generation) = (v.place, v.generation) "
        "RETURNING v.path",
        path,
    )
    return changed is not None


async def claim_removal(connection: Connection, listed: Listed, now: datetime) -> int | None:
    """Begin (or take over) the removal; the epoch to finish it with. None if it was restored or taken meanwhile."""
    epoch: int | None = await connection.fetchval(
        "UPDATE storage.versions SET state = 'clearing', claimed_at = $3, epoch = epoch + 1 "
        "WHERE path = $1 AND epoch = $2 AND state IN ('doomed', 'clearing') RETURNING epoch",
        listed.path, listed.epoch, now,
    )  # fmt: skip
    return epoch


async def set_cleared(connection: Connection, path: str, epoch: int, objects: int, size: int, now: datetime) -> bool:
    """The bytes are gone; False if somebody took the removal over."""
    changed = await connection.fetchval(
        "UPDATE storage.versions SET state = 'cleared', cleared_at = $3, removed_objects = $4, removed_bytes = $5, "
        "due_at = NULL, not_before = NULL, waiting_for = '' "
        "WHERE path = $1 AND epoch = $2 AND state = 'clearing' RETURNING path",
        path, epoch, now, objects, size,
    )  # fmt: skip
    return changed is not None


async def removals_since(connection: Connection, since: datetime) -> int:
    """Removals begun since then."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM storage.versions WHERE state IN ('clearing', 'cleared') AND claimed_at > $1", since
    )
    return found


async def _list(connection: Connection, where: str, now: datetime, *values: object) -> list[Listed]:
    rows: list[Row] = await connection.fetch(_LISTED + where, now, *values)
    names = ("path", "state", "present", "retention", "files", "bytes", "due_at", "not_before", "doomed_at",
             "cleared_at", "reason", "waiting_for", "epoch")  # fmt: skip
    return [Listed(_version(row), held_by=tuple(row["held_by"]), **{name: row[name] for name in names}) for row in rows]


def _version(row: Row) -> VersionKey:
    return VersionKey(**task_of(row).model_dump(), output=row["output"], generation=row["generation"])


def _candidate(row: Row) -> Candidate:
    names = ("path", "run_started_at", "try_number", "run_after", "logical_date", "state", "present",
             "attempt_state", "retention", "reason", "gone_at", "ended")  # fmt: skip
    return Candidate(_version(row), **{name: row[name] for name in names})
