"""Runs, versions and reports in PostgreSQL, for those who ask."""

from typing import cast
from uuid import UUID

import asyncpg
from outrider_bus.ports import Connection
from outrider_chassis.database import Pool
from outrider_contracts.keys import RunKey, TryKey

from lineage.adapters.postgres_tries import load_runs, load_tries, tries_of_run
from lineage.adapters.rows import run_of
from lineage.domain.history import NodeHistory, ReportedRun, RunHistory, VersionState
from lineage.domain.names import label
from lineage.domain.tries import Run

_NEWEST_RUNS = """
SELECT * FROM lineage.runs WHERE team = $1 AND ($2 = '' OR dag_id = $2) ORDER BY run_started_at DESC LIMIT $3
"""
_RUN_BY_ID = "SELECT team, dag_id, run_id FROM lineage.runs WHERE ol_run_id = $1"
_TRY_BY_ID = "SELECT team, dag_id, run_id, task_id, map_index, try_number FROM lineage.tries WHERE ol_run_id = $1"
_REPORTED = """
SELECT r.*, n.namespace, n.name FROM lineage.reported_runs r JOIN lineage.nodes n ON n.id = r.job
WHERE r.ol_run_id = $1 LIMIT 1
"""
_REPORTED_IO = """
SELECT io.direction, io.note, n.team, n.namespace, n.name, n.dag_id, n.task_id, n.output
FROM lineage.reported_io io LEFT JOIN lineage.nodes n ON n.id = io.dataset AND io.note = ''
WHERE io.team = $1 AND io.ol_run_id = $2 ORDER BY n.namespace, n.name
"""
_TRIES_OF_NODE = """
SELECT t.team, t.dag_id, t.run_id, t.task_id, t.map_index, t.try_number
FROM lineage.tries t JOIN lineage.nodes n ON (n.team, n.dag_id, n.task_id) = (t.team, t.dag_id, t.task_id)
WHERE n.id = $1 AND n.kind = 'job' ORDER BY coalesce(t.started_at, t.end_at) DESC NULLS LAST LIMIT $2
"""
_VERSIONS_OF_NODE = """
SELECT v.run_id, v.map_index, v.generation, v.path, v.outcome, v.sealed_at, v.doomed_at, v.restored_at, v.cleared_at,
    coalesce(w.files, 0) AS files, coalesce(w.bytes, 0) AS bytes,
    (SELECT count(*) FROM lineage.reads r WHERE (r.dataset, r.generation, r.from_run_id, r.from_map_index)
        = (v.dataset, v.generation, v.run_id, v.map_index)) AS readers
FROM lineage.versions v LEFT JOIN LATERAL (
    SELECT max(files) AS files, max(bytes) AS bytes FROM lineage.writes w
    WHERE (w.dataset, w.generation, w.run_id, w.map_index) = (v.dataset, v.generation, v.run_id, v.map_index)) w ON true
WHERE v.dataset = $1 ORDER BY v.sealed_at DESC NULLS LAST, v.generation DESC LIMIT $2
"""


class PostgresHistory:
    """The `History` on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, run: RunKey, limit: int) -> RunHistory | None:
        async with self._pool.acquire() as acquired:
            connection = cast(Connection, acquired)
            keys = await tries_of_run(connection, run, limit + 1)
            starts = await load_runs(connection, [run])
            tries = await load_tries(connection, keys[:limit])
        if not starts and not tries:
            return None
        return RunHistory(run, tuple(starts), tuple(tries), truncated=len(keys) > limit)

    async def newest_runs(self, team: str, dag_id: str, limit: int) -> list[Run]:
        return [run_of(row) for row in await self._pool.fetch(_NEWEST_RUNS, team, dag_id, limit)]

    async def identify(self, ol_run_id: UUID) -> RunKey | TryKey | ReportedRun | None:
        if (found := await self._pool.fetchrow(_TRY_BY_ID, ol_run_id)) is not None:
            return TryKey(**dict(found))
        if (found := await self._pool.fetchrow(_RUN_BY_ID, ol_run_id)) is not None:
            return RunKey(**dict(found))
        if (found := await self._pool.fetchrow(_REPORTED, ol_run_id)) is not None:
            return _reported(found, await self._pool.fetch(_REPORTED_IO, found["team"], ol_run_id))
        return None

    async def of_node(self, node: UUID, limit: int) -> NodeHistory:
        async with self._pool.acquire() as acquired:
            connection = cast(Connection, acquired)
            keys = [TryKey(**dict(row)) for row in await connection.fetch(_TRIES_OF_NODE, node, limit)]
            tries = await load_tries(connection, keys)
            versions = [VersionState(**dict(row)) for row in await connection.fetch(_VERSIONS_OF_NODE, node, limit)]
        newest = sorted(tries, key=lambda one: keys.index(one.task))
        return NodeHistory(tuple(newest), tuple(versions))


def _reported(row: asyncpg.Record, io: list[asyncpg.Record]) -> ReportedRun:
    named = [(r["direction"], _label(r)) for r in io]
    return ReportedRun(
        team=row["team"],
        ol_run_id=row["ol_run_id"],
        namespace=row["namespace"],
        name=row["name"],
        state=row["end_state"] or "RUNNING",
        started_at=row["started_at"],
        ended_at=row["end_at"],
        inputs=tuple(name for direction, name in named if direction == "input"),
        outputs=tuple(name for direction, name in named if direction == "output"),
    )


def _label(row: asyncpg.Record) -> str:
    if row["namespace"] is None:
        return f"masked ({row['note']})"
    return label(*(row[name] for name in ("team", "namespace", "name", "dag_id", "task_id", "output")))
