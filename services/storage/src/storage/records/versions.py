"""Versions: one generation of one output, from its opening to its removal."""

from collections.abc import Mapping
from datetime import datetime

from outrider_contracts.environments import Manifest
from outrider_contracts.keys import RunKey

from storage.domain.attempts import Attempt
from storage.domain.resolution import Candidate
from storage.domain.retention import ClearingPlan, Kept
from storage.records.codec import Connection, Row, run_columns, run_of, version_of

_JOINED = """
FROM storage.versions v JOIN storage.attempts a USING (place, generation)
"""
_KEY = "a.team, a.dag_id, a.run_id, a.task_id, a.map_index, v.output, v.generation, v.path"

_CANDIDATES = f"""
SELECT {_KEY}, a.run_started_at, a.try_number, a.run_after, a.logical_date, v.state, v.present,
       a.state AS attempt_state, v.retention, v.reason, coalesce(v.cleared_at, v.doomed_at) AS gone_at,
       e.state AS ended, a.declaration -> 'outputs' -> v.output ->> 'format' AS format
{_JOINED}
LEFT JOIN storage.ends e USING (team, dag_id, run_id, task_id, map_index, run_started_at, try_number)
WHERE (a.team, a.dag_id, a.task_id, v.output) = ($1, $2, $3, $4) AND a.state <> 'dropped'
  AND ($5::text IS NULL OR a.run_id = $5)
  AND ($6::timestamptz IS NULL OR a.run_after <= $6) AND ($7::timestamptz IS NULL OR a.logical_date = $7)
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


async def candidates(
    connection: Connection, team: str, dag_id: str, task_id: str, output: str, *, run_id: str | None = None,
    until: datetime | None = None, logical_date: datetime | None = None,
) -> list[Candidate]:  # fmt: skip
    """Versions of the output (of one run, of runs up to *until*, of one date), newest run first, whatever their state.

    At most 10,000: what the reader may not have must not stand before what it may.
    """
    rows: list[Row] = await connection.fetch(_CANDIDATES, team, dag_id, task_id, output, run_id, until, logical_date)
    return [_candidate(row) for row in rows]


async def lock_readable(connection: Connection, paths: list[str]) -> set[str]:
    """Those of *paths* that are sealed now, locked so that nobody dooms them before this transaction ends."""
    rows: list[Row] = await connection.fetch(
        "SELECT path FROM storage.versions WHERE path = ANY($1::text[]) AND state = 'sealed' ORDER BY path FOR SHARE",
        paths,
    )
    return {row["path"] for row in rows}


async def lock_there(connection: Connection, paths: list[str]) -> set[str]:
    """Those of *paths* that are neither doomed nor gone now, locked so that it stays so until this transaction ends."""
    rows: list[Row] = await connection.fetch(
        "SELECT path FROM storage.versions WHERE path = ANY($1::text[]) AND state IN ('open', 'sealed') "
        "ORDER BY path FOR SHARE",
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


def _candidate(row: Row) -> Candidate:
    names = ("path", "run_started_at", "try_number", "run_after", "logical_date", "state", "present",
             "attempt_state", "retention", "reason", "gone_at", "ended", "format")  # fmt: skip
    return Candidate(version_of(row), **{name: row[name] for name in names})
