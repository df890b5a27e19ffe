"""The record in PostgreSQL: merges what was folded, remembers what was said and what still waits for its seal."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from outrider_bus.ports import Connection
from outrider_contracts.keys import RunKey, TryKey

from lineage.adapters.merge_sql import arguments, merge_statement
from lineage.adapters.postgres_tries import load_runs, load_tries
from lineage.domain.said import Saying
from lineage.domain.schema import EDGES, TABLES
from lineage.domain.tables import Changes
from lineage.domain.tries import Run, Try
from lineage.ports import Edge

_STATEMENTS = {table.name: merge_statement(table) for table in TABLES}

_SAID = "SELECT ol_run_id, event_type, at, sealed FROM lineage.said WHERE ol_run_id = ANY($1::uuid[])"
_SAY = """
INSERT INTO lineage.said (ol_run_id, event_type, at, sealed)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::boolean[])
ON CONFLICT DO NOTHING RETURNING ol_run_id, event_type, at, sealed
"""
_WAIT = """
INSERT INTO lineage.unsettled (team, dag_id, run_id, task_id, map_index, try_number, settle_at)
SELECT *, now() + $7::interval FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
ON CONFLICT DO NOTHING
"""
_SETTLED = """
DELETE FROM lineage.unsettled u
USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    AS t (team, dag_id, run_id, task_id, map_index, try_number)
WHERE (u.team, u.dag_id, u.run_id, u.task_id, u.map_index, u.try_number)
    = (t.team, t.dag_id, t.run_id, t.task_id, t.map_index, t.try_number)
"""
_TAKE_DUE = """
DELETE FROM lineage.unsettled WHERE (team, dag_id, run_id, task_id, map_index, try_number) IN (
    SELECT team, dag_id, run_id, task_id, map_index, try_number FROM lineage.unsettled
    WHERE settle_at <= now() ORDER BY settle_at LIMIT 200 FOR UPDATE SKIP LOCKED)
RETURNING team, dag_id, run_id, task_id, map_index, try_number
"""


class PostgresRecord:
    """The `Record` of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def merge(self, changes: Changes) -> list[Edge]:
        new_edges: list[Edge] = []
        for table in TABLES:
            rows = changes.rows(table)
            if not rows:
                continue
            kept = await self._connection.fetch(_STATEMENTS[table.name], *arguments(table, rows))
            if table is EDGES:
                new_edges = [(row["source"], row["target"]) for row in kept if row["is_new"]]
        return new_edges

    async def tries(self, keys: Iterable[TryKey]) -> list[Try]:
        return await load_tries(self._connection, keys)

    async def runs(self, keys: Iterable[RunKey]) -> list[Run]:
        return await load_runs(self._connection, keys)

    async def said(self, ol_run_ids: Sequence[UUID]) -> dict[UUID, frozenset[Saying]]:
        found: dict[UUID, set[Saying]] = {ol_run_id: set() for ol_run_id in ol_run_ids}
        for row in await self._connection.fetch(_SAID, list(ol_run_ids)):
            found[row["ol_run_id"]].add(_saying(row))
        return {ol_run_id: frozenset(sayings) for ol_run_id, sayings in found.items()}

    async def say_once(self, sayings: Iterable[Saying]) -> set[Saying]:
        rows = sorted(sayings, key=lambda one: (one.ol_run_id, one.event_type, one.at))
        columns = (
            [r.ol_run_id for r in rows], [r.event_type for r in rows], [r.at for r in rows], [r.sealed for r in rows]
        )  # fmt: skip
        return {_saying(row) for row in await self._connection.fetch(_SAY, *columns)}

    async def wait_for_seals(self, tries: Iterable[TryKey], settle: timedelta) -> None:
        await self._connection.execute(_WAIT, *_columns(tries), settle)

    async def stop_waiting(self, tries: Iterable[TryKey]) -> None:
        await self._connection.execute(_SETTLED, *_columns(tries))

    async def take_due(self) -> list[TryKey]:
        return [TryKey(**dict(row)) for row in await self._connection.fetch(_TAKE_DUE)]


def _saying(row: asyncpg.Record) -> Saying:
    return Saying(row["ol_run_id"], row["event_type"], row["at"], row["sealed"])


def _columns(tries: Iterable[TryKey]) -> list[list[str] | list[int]]:
    keys = sorted(set(tries), key=lambda t: (t.team, t.dag_id, t.run_id, t.task_id, t.map_index, t.try_number))
    return [
        [t.team for t in keys], [t.dag_id for t in keys], [t.run_id for t in keys], [t.task_id for t in keys],
        [t.map_index for t in keys], [t.try_number for t in keys],
    ]  # fmt: skip
