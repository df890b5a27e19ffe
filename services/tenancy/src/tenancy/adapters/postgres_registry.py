"""Tenancy's table in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from outrider_bus.ports import Connection, Database, Tx
from outrider_chassis.database import Pool
from outrider_contracts.tenants import AuditRecorded

from tenancy.adapters.rows import from_json, to_json
from tenancy.domain.status import changed
from tenancy.domain.teams import TeamRecord, Wanted
from tenancy.ports import Ledger

PoolConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

_CHANNEL = "tenancy_work"
_PUT = """
INSERT INTO teams (team, uid, generation, digest, lifecycle, orphaned, record, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (team) DO UPDATE SET generation = excluded.generation, digest = excluded.digest, record = excluded.record,
    lifecycle = excluded.lifecycle, orphaned = excluded.orphaned, due_at = excluded.due_at
"""
_NEW_TEAMS = "SELECT pg_advisory_xact_lock(hashtext('tenancy.new'))"


class PostgresLedger:
    """The table inside the transaction of *tx*."""

    def __init__(self, tx: Tx, provisioners: Sequence[str]) -> None:
        self._tx, self._provisioners = tx, provisioners

    async def get(self, team: str) -> TeamRecord | None:
        text = await self._tx.connection.fetchval("SELECT record::text FROM teams WHERE team = $1 FOR UPDATE", team)
        return None if text is None else from_json(text)

    async def all(self) -> Sequence[TeamRecord]:
        await self._tx.connection.execute(_NEW_TEAMS)  # two new teams at once would not see each other's grants
        return await _all(self._tx.connection)

    async def put(self, record: TeamRecord, *audits: AuditRecorded) -> None:
        record, status = changed(record, self._provisioners, datetime.now(UTC))
        await self._tx.connection.execute(
            _PUT, record.team, record.uid, record.generation, record.digest, record.spec.lifecycle, record.orphaned,
            to_json(record), record.due_at,
        )  # fmt: skip
        if record.due_at <= datetime.now(UTC):
            await self._tx.connection.execute("SELECT pg_notify($1, '')", _CHANNEL)
        await self._tx.say(*audits, *([status] if status is not None else []))

    async def tell(self, *audits: AuditRecorded) -> None:
        await self._tx.say(*audits)


class PostgresRegistry:
    """The table, the lock of each team, and the bell that rings when something is due."""

    def __init__(self, pool: Pool, database: Database, provisioners: Sequence[str]) -> None:
        self._pool, self._database, self._provisioners = pool, database, provisioners
        self._bell = asyncio.Event()
        self._asking = asyncio.Lock()
        self._session: PoolConnection | None = None
        self._held: set[str] = set()

    def ledger(self, tx: Tx) -> Ledger:
        """The table inside the transaction of a record that was heard."""
        return PostgresLedger(tx, self._provisioners)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Ledger]:
        async with self._database.begin() as tx:
            yield PostgresLedger(tx, self._provisioners)

    async def due(self, now: datetime) -> Sequence[str]:
        rows = await self._pool.fetch(
            "SELECT team FROM teams WHERE due_at <= $1 AND NOT orphaned ORDER BY due_at LIMIT 100", now
        )
        return [row["team"] for row in rows]

    @asynccontextmanager
    async def hold(self, team: str) -> AsyncIterator[bool]:
        """Session locks of one connection: they end with the process, however that ends."""
        if team in self._held:
            yield False
            return
        self._held.add(team)
        try:
            mine = bool(await self._ask("SELECT pg_try_advisory_lock(hashtextextended($1, 7))", team))
            try:
                yield mine
            finally:
                if mine:
                    await self._ask("SELECT pg_advisory_unlock(hashtextextended($1, 7))", team)
        finally:
            self._held.discard(team)

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return
        self._bell.clear()

    async def listen(self) -> None:
        """Ring the bell on every notification; runs until cancelled. Without it `wait` only waits."""
        try:
            while True:
                await self._ask("SELECT 1")  # also finds out that the connection is gone, and takes a new one
                await asyncio.sleep(5)
        finally:
            if self._session is not None:
                await self._pool.release(self._session)
                self._session = None

    async def _ask(self, sql: str, *arguments: str) -> object:
        """Ask on the one connection that listens and holds the locks."""
        async with self._asking:
            if self._session is None or self._session.is_closed():
                if self._session is not None:
                    await self._pool.release(self._session)
                self._session = await self._pool.acquire()
                await self._session.add_listener(_CHANNEL, self._ring)
            return await self._session.fetchval(sql, *arguments)

    def _ring(self, *_: object) -> None:
        self._bell.set()

    async def wanted(self) -> Sequence[Wanted]:
        """What is wanted of every team, ordered by id."""
        async with self._pool.acquire() as connection:
            return [record.wanted for record in await _all(connection)]


async def _all(connection: "Connection | PoolConnection") -> Sequence[TeamRecord]:
    rows = await connection.fetch("SELECT record::text AS record FROM teams ORDER BY team")
    return [from_json(row["record"]) for row in rows]
