"""The notebook in PostgreSQL: what was said, what is known of runs, how far the reading has come."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import asyncpg
from outrider_bus.ports import Connection, Database, StaleEpochError
from outrider_chassis.database import Pool

from sweep.domain.seen import (
    Cursor,
    KnownRun,
    Outcome,
    Pass,
    SaidTry,
    TaskId,
    TeamRun,
    Told,
    TryId,
    Whose,
    merged,
)

KEEP_RUNS = """
INSERT INTO sweep.runs (team, dag_id, run_id, team_rule, started_at, clear_number, ended_at, missing_since, counted_to)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int[], $7::timestamptz[],
                     $8::timestamptz[], $9::timestamptz[])
ON CONFLICT (team, dag_id, run_id) DO UPDATE SET
    missing_since = excluded.missing_since, checked_at = now(),
    started_at = excluded.started_at,
    clear_number = CASE WHEN excluded.started_at > runs.started_at THEN excluded.clear_number
                        ELSE greatest(runs.clear_number, excluded.clear_number) END,
    ended_at = CASE WHEN excluded.started_at > runs.started_at THEN excluded.ended_at
                    ELSE coalesce(excluded.ended_at, runs.ended_at) END,
    counted_to = CASE WHEN excluded.started_at > runs.started_at THEN excluded.counted_to
                      ELSE greatest(excluded.counted_to, runs.counted_to) END
WHERE excluded.started_at >= runs.started_at
"""
"""A later start replaces what is known; of one start the end is kept once it is known. Any order gives the same."""

FORGET_RUNS = """
DELETE FROM sweep.runs r USING unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    AS g (team, dag_id, run_id, started_at)
WHERE (r.team, r.dag_id, r.run_id) = (g.team, g.dag_id, g.run_id) AND r.started_at <= g.started_at
"""

_KNOWN = """
SELECT r.* FROM sweep.runs r JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (team, dag_id, run_id)
    USING (team, dag_id, run_id)
"""
_TOLD = """
SELECT dag_id, run_id, task_id, map_index, try_number,
       (array_agg(state ORDER BY seq DESC))[1] AS last,
       (array_agg(state ORDER BY ended_at DESC, state DESC))[1] AS latest,
       max(ended_at) AS latest_at, bool_or(dealt_with) AS examined
FROM sweep.ends JOIN unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[])
    AS w (dag_id, run_id, task_id, map_index, try_number) USING (dag_id, run_id, task_id, map_index, try_number)
GROUP BY dag_id, run_id, task_id, map_index, try_number
"""
_KEEP_ENDS = """
INSERT INTO sweep.ends (dag_id, run_id, task_id, map_index, try_number, state, ended_at, dealt_with)
SELECT w.*, $8 FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::timestamptz[]) AS w
ON CONFLICT (dag_id, run_id, task_id, map_index, try_number, state, ended_at)
    DO UPDATE SET dealt_with = true WHERE excluded.dealt_with AND NOT ends.dealt_with
"""
_DOUBT = """
INSERT INTO sweep.doubts (dag_id, run_id, task_id, map_index)
SELECT DISTINCT e.dag_id, e.run_id, e.task_id, e.map_index FROM sweep.ends e
JOIN unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[])
    AS w (dag_id, run_id, task_id, map_index, try_number, state) USING (dag_id, run_id, task_id, map_index, try_number)
WHERE e.state <> w.state
ON CONFLICT (dag_id, run_id, task_id, map_index) DO UPDATE SET since = now()
"""
"""A try that was told to have ended in two ways; the sweep's own word about it does not renew the doubt."""

_DOUBTED = """
SELECT dag_id, run_id, task_id, map_index FROM sweep.doubts WHERE since < now() - $2::interval ORDER BY since LIMIT $1
"""
_SETTLE = """
DELETE FROM sweep.doubts d USING unnest($1::text[], $2::text[], $3::text[], $4::int[])
    AS w (dag_id, run_id, task_id, map_index)
WHERE (d.dag_id, d.run_id, d.task_id, d.map_index) = (w.dag_id, w.run_id, w.task_id, w.map_index)
"""
_FORGET_ENDS = """
WITH old AS (
    SELECT e.ctid AS row, EXISTS (
        SELECT FROM sweep.runs r WHERE (r.dag_id, r.run_id) = (e.dag_id, e.run_id)
        AND (r.ended_at IS NULL OR r.ended_at > now() - $1::interval)) AS goes_on
    FROM sweep.ends e WHERE e.seen_at < now() - $1::interval
), kept AS (
    UPDATE sweep.ends e SET seen_at = now() FROM old WHERE e.ctid = old.row AND old.goes_on
)
DELETE FROM sweep.ends e USING old WHERE e.ctid = old.row AND NOT old.goes_on
"""
"""A task may be tried again as long as its run goes on; what is kept for that is looked at again as much later."""

_DUE = """
UPDATE sweep.runs SET checked_at = now() WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sweep.runs
    WHERE checked_at < now() - CASE WHEN missing_since IS NOT NULL OR ended_at IS NULL THEN $2::interval
                                    ELSE $3::interval END
    ORDER BY missing_since IS NULL, checked_at LIMIT $1))
RETURNING *
"""
_SUSPECT = """
UPDATE sweep.runs r SET checked_at = '-infinity' FROM unnest($1::text[], $2::text[]) AS w (dag_id, run_id)
WHERE r.dag_id = w.dag_id AND w.run_id IN ('', r.run_id) AND r.missing_since IS NULL
"""
_MOVE = """
INSERT INTO sweep.cursors AS c (reading, since, page, began_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (reading) DO UPDATE SET since = $2, page = $3, began_at = $4 WHERE (c.since, c.page) = ($5, $6)
RETURNING reading
"""


class PostgresNotebook:
    """Notebook and bookmarks of one sweep."""

    def __init__(
        self,
        pool: Pool,
        database: Database,
        *,
        lookback: timedelta,
        overlap: timedelta,
        patience: timedelta,
        remember: timedelta,
        recheck_open: timedelta,
        recheck_ended: timedelta,
    ) -> None:
        self._pool = pool
        self._database = database
        self._lookback = lookback
        self._keep_ends = 3 * overlap
        self._patience = patience
        self._remember = remember
        self._recheck = (recheck_open, recheck_ended)

    async def at(self, reading: Pass) -> Cursor:
        """The cursor of *reading*."""
        row = await self._pool.fetchrow("SELECT since, page, began_at FROM sweep.cursors WHERE reading = $1", reading)
        if row is None:
            return Cursor(datetime.now(UTC) - self._lookback)
        return Cursor(row["since"], row["page"], row["began_at"])

    async def known(self, runs: Collection[TeamRun]) -> dict[TeamRun, KnownRun]:
        """What is known of *runs*."""
        rows = await self._pool.fetch(_KNOWN, *_columns(runs, 3))
        return {each.key: each for each in map(_known, rows)}

    async def told(self, tries: Collection[TryId]) -> dict[TryId, Told]:
        """What was told lately of the ends of *tries*."""
        rows = await self._pool.fetch(_TOLD, *_columns(set(tries), 5))
        return {(r[0], r[1], r[2], r[3], r[4]): Told(r[5], r[6], r[7], r[8]) for r in rows}

    async def doubted(self, limit: int) -> list[TaskId]:
        """Tasks of which something was told in several ways."""
        rows = await self._pool.fetch(_DOUBTED, limit, self._patience)
        return [(r[0], r[1], r[2], r[3]) for r in rows]

    async def due(self, limit: int) -> list[KnownRun]:
        """Runs to ask after; asking counts from now."""
        return [_known(row) for row in await self._pool.fetch(_DUE, limit, *self._recheck)]

    async def write(self, outcome: Outcome) -> None:
        """Keep *outcome* in one transaction."""
        async with self._database.begin() as tx:
            if outcome.moved:
                await self._move(tx.connection, *outcome.moved)
            await keep_runs(tx.connection, outcome.known)
            await forget_runs(tx.connection, outcome.gone)
            await keep_ends(tx.connection, sorted(outcome.dealt_with, key=lambda end: end[-1]), dealt_with=True)
            await tx.connection.execute(_SUSPECT, *_columns(outcome.suspected, 2))
            await tx.connection.execute(_SETTLE, *_columns(outcome.settled, 4))
            await tx.say(*outcome.facts)

    async def _move(self, connection: Connection, reading: Pass, before: Cursor, after: Cursor) -> None:
        values = (reading, after.since, after.page, after.began_at, before.since, before.page)
        if await connection.fetchval(_MOVE, *values) is None:
            raise StaleEpochError(f"the cursor of {reading} was moved by another sweep")
        if reading == "tasks" and not after.page:  # once a round
            await connection.execute(_FORGET_ENDS, self._keep_ends)
            await connection.execute("DELETE FROM sweep.runs WHERE ended_at < now() - $1::interval", self._remember)


async def keep_runs(connection: Connection, runs: Iterable[KnownRun]) -> None:
    """Remember *runs*; nothing older replaces anything newer."""
    newest: dict[TeamRun, KnownRun] = {}
    for run in runs:
        newest[run.key] = merged(newest[run.key], run) if run.key in newest else run
    rows = [
        (*r.key, r.whose.rule, r.started_at, r.clear_number, r.ended_at, r.missing_since, r.counted_to)
        for r in newest.values()
    ]
    await connection.execute(KEEP_RUNS, *_columns(rows, 9))


async def keep_ends(connection: Connection, ends: Iterable[SaidTry], *, dealt_with: bool) -> None:
    """Remember that *ends* were told, in that order, or dealt with by the sweep; doubt what others told otherwise."""
    columns = _columns(tuple(dict.fromkeys(ends)), 7)
    await connection.execute(_KEEP_ENDS, *columns, dealt_with)
    if not dealt_with:
        await connection.execute(_DOUBT, *columns[:6])


async def forget_runs(connection: Connection, runs: Iterable[KnownRun]) -> None:
    """Forget *runs*, unless they started again since."""
    await connection.execute(FORGET_RUNS, *_columns([(*run.key, run.started_at) for run in runs], 4))


def _columns(rows: Collection[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]


def _known(row: asyncpg.Record) -> KnownRun:
    return KnownRun(
        row["dag_id"],
        row["run_id"],
        Whose(row["team"], row["team_rule"]),
        row["started_at"],
        row["clear_number"],
        row["ended_at"],
        row["missing_since"],
        row["counted_to"],
    )
