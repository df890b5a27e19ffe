"""One suite over the record in memory and the record in PostgreSQL; and both come to the same tables."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

import pytest
from lineage.adapters.memory import MemoryRecord
from lineage.adapters.postgres_record import PostgresRecord
from lineage.domain.fold import fold
from lineage.domain.names import Names
from lineage.domain.said import Saying
from lineage.domain.schema import EDGES, TABLES
from lineage.domain.tables import Row, Table
from lineage.ports import Record
from outrider_bus.ports import Connection
from outrider_chassis.database import Pool

from tests.unit.lineage.stories import at, disordered, run_key, story, task_key

NAMES = Names("airflow://test")


class Records:
    """Opens a record, over memory or in a transaction of the database."""

    def __init__(self, pool: "Pool | None") -> None:
        self._pool, self._memory = pool, MemoryRecord()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Record]:
        if self._pool is None:
            yield self._memory
            return
        async with self._pool.acquire() as connection, connection.transaction():
            yield PostgresRecord(cast(Connection, connection))


@pytest.fixture(params=["memory", "postgres"])
async def records(request: pytest.FixtureRequest, pool: Pool) -> Records:
    return Records(pool if request.param == "postgres" else None)


async def _rows(pool: Pool, table: Table) -> list[Row]:
    columns = ", ".join(f'"{column.name}"' for column in (*table.keys, *table.columns))
    keys = ", ".join(f'"{column.name}"' for column in table.keys)
    return [dict(row) for row in await pool.fetch(f"SELECT {columns} FROM lineage.{table.name} ORDER BY {keys}")]


async def _hash(pool: Pool) -> str:
    said = [f"{table.name}{await _rows(pool, table)}" for table in TABLES]
    return hashlib.sha256("".join(said).encode()).hexdigest()


async def _ingest(pool: Pool, seed: int) -> None:
    for batch in disordered(story(), seed):
        async with pool.acquire() as connection, connection.transaction():
            await PostgresRecord(cast(Connection, connection)).merge(fold(NAMES, batch))


async def _empty(pool: Pool) -> None:
    await pool.execute("TRUNCATE " + ", ".join(f"lineage.{table.name}" for table in TABLES))


async def test_any_order_repetition_and_batching_gives_the_same_tables(pool: Pool) -> None:
    """Thirty logs in disorder, some on top of what is there already: one hash over all tables."""
    seen = set()
    for seed in range(30):
        if seed % 3:  # the others are replayed on top
            await _empty(pool)
        await _ingest(pool, seed)
        seen.add(await _hash(pool))

    assert len(seen) == 1


async def test_the_database_merges_as_memory_does(pool: Pool) -> None:
    """The generated SQL and the fold are two readings of one table of rules."""
    memory = MemoryRecord()
    await memory.merge(fold(NAMES, story()))
    await _ingest(pool, seed=7)

    for table in TABLES:
        assert await _rows(pool, table) == memory.rows(table), table.name


async def test_tries_and_runs_come_back_whole(records: Records) -> None:
    """With what they read and wrote, and the run they began in."""
    async with records.open() as record:
        await record.merge(fold(NAMES, story()))
        [second] = await record.tries([task_key("transform", map_index=1).attempt(2)])
        runs = await record.runs([run_key()])

    assert [version.path for version in second.reads] == ["ads/daily/extract/20261101T000000.000000Z/orders/g1/"]
    assert [(version.name, version.bytes) for version in second.writes] == [("copy", None), ("daily", 2000)]
    assert [run.state for run in runs] == ["success", "failed"]
    assert second.parent_run_id == runs[0].ol_run_id


async def test_an_edge_is_new_once(records: Records) -> None:
    """Whoever merges it first is told so, nobody else."""
    async with records.open() as record:
        changes = fold(NAMES, story())
        new = await record.merge(changes)
    async with records.open() as record:
        again = await record.merge(fold(NAMES, story()))

    assert len(new) == len(changes.rows(EDGES))
    assert again == []


async def test_a_saying_is_new_once(records: Records) -> None:
    """What was said is not said again, also when only the seal was added to it."""
    [run_id] = {NAMES.job("ads", "a", "b").id}
    first, again = Saying(run_id, "COMPLETE", at(1)), Saying(run_id, "COMPLETE", at(1), sealed=True)
    async with records.open() as record:
        assert await record.say_once([first]) == {first}
    async with records.open() as record:
        assert await record.say_once([again]) == set()
        assert await record.said([run_id]) == {run_id: frozenset({first})}


async def test_a_wait_ends_by_time_for_one_caller(records: Records) -> None:
    """And not at all where the seal came."""
    late, sealed = task_key("a").attempt(1), task_key("b").attempt(1)
    async with records.open() as record:
        await record.wait_for_seals([late, sealed], timedelta(0))
        await record.stop_waiting([sealed])
        if isinstance(record, MemoryRecord):
            record.waits_are_over = True
    async with records.open() as record:
        assert await record.take_due() == [late]
    async with records.open() as record:
        assert await record.take_due() == []


async def test_the_tables_have_the_columns_the_domain_names(pool: Pool) -> None:
    """A column the migration lacks, or one that nobody merges, is a mistake."""
    kept = await pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'lineage'"
    )
    for table in TABLES:
        names = {row["column_name"] for row in kept if row["table_name"] == table.name}
        assert names == {column.name for column in (*table.keys, *table.columns)}
