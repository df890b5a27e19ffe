"""Transactions with an outbox, on PostgreSQL. Vendor errors that mean "away" end here as UnavailableError."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
from outrider_contracts.event import Event

from outrider_bus.ports import Connection, Heard, RefusedError, UnavailableError
from outrider_bus.records import pack_headers
from outrider_bus.saying.outgoing import Outgoing

_WRITE_OUTBOX = """
INSERT INTO bus.outbox (topic, id, key, value, headers)
SELECT r.topic, r.id, r.key, r.value, r.headers::jsonb
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[], $5::text[])
    WITH ORDINALITY AS r (topic, id, key, value, headers, place)
ORDER BY r.place
ON CONFLICT (topic, id) DO NOTHING
"""

SESSION = {"idle_in_transaction_session_timeout": "60s", "transaction_timeout": "120s"}
"""Settings for the pool's sessions: a worker that froze in a transaction must not hold its rows for ever.

The first does not see one that froze between two messages of a statement; the second does (PostgreSQL 17 and later).
"""

_AWAY = ("08", "53", "57P", "25006", "25P03", "25P04")
"""SQLSTATE beginnings that say nothing about the work: connection, resources, shutdown, read-only after a failover, a
transaction that was ended because it had stood still or lasted too long."""
_VENDOR = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_AGAIN = ("40",)
"""Deadlock and serialization failure: the same work may well succeed in a moment."""


class OutboxTx(Outgoing):
    """The `Tx` of one asyncpg transaction; what was said is written in one statement before the commit."""

    def __init__(self, connection: Connection, source: str, cause: Heard[Event] | None = None) -> None:
        super().__init__(source, cause)
        self._connection = connection

    @property
    def connection(self) -> Connection:
        return self._connection

    async def flush(self) -> None:
        """Write what was said. Called once, before the commit."""
        if self.rows:
            columns = zip(*((r.topic, r.id, r.key, r.value, pack_headers(r.headers)) for r in self.rows), strict=True)
            await self._connection.execute(_WRITE_OUTBOX, *map(list, columns))


class PostgresDatabase:
    """Begins transactions on a pool; facts said in them name *service* as their source."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, service: str) -> None:
        self._pool = pool
        self._source = f"/outrider/{service}"

    @asynccontextmanager
    async def begin(self, cause: Heard[Event] | None = None) -> AsyncIterator[OutboxTx]:
        """Open a transaction; leaving it commits, an exception rolls back, except RefusedError: a refusal is kept.

        Raises UnavailableError where the database is away, also when the commit's fate is unknown; the inbox tells
        on the next try.
        """
        async with self._session() as connection:
            transaction = connection.transaction()
            await transaction.start()
            tx = OutboxTx(cast(Connection, connection), self._source, cause)
            refused: RefusedError | None = None
            try:
                try:
                    yield tx
                except RefusedError as error:
                    refused = error
                await tx.flush()
            except BaseException:
                if not _is_gone(connection):
                    await transaction.rollback()
                raise
            await transaction.commit()
            if refused:
                raise refused

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of one statement that only looks: one round trip. Raises UnavailableError."""
        async with self._session() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Any]:
        try:
            connection = await self._pool.acquire()
        except _VENDOR as error:
            raise UnavailableError(f"no connection to PostgreSQL: {error}") from error
        try:
            yield connection
        except _VENDOR as error:
            if isinstance(error, asyncpg.InternalClientError):
                connection.terminate()  # what was under way when the server died confuses whoever comes next
            if _is_gone(connection) or is_away(error) or isinstance(error, TimeoutError):
                raise UnavailableError(f"PostgreSQL went away: {error}") from error
            raise
        finally:
            with suppress(*_VENDOR):  # what was lost while it was cleaned is ended, and the work is over in any case
                await self._pool.release(connection)


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken it back already, because it is
        return True


def is_away(error: BaseException) -> bool:
    """Whether an error that reached us raw says that the database (or a socket) is away, and nothing about the work."""
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error)
    if isinstance(error, ConnectionError | socket.gaierror | asyncpg.InternalClientError):
        return True
    # an address with several numbers fails with a bare OSError; a file that is missing is a subclass of it
    return type(error) is OSError or says(error, _AWAY)


def says(error: BaseException, states: Sequence[str]) -> bool:
    """Whether *error* carries an SQLSTATE that begins with one of *states*."""
    state = getattr(error, "sqlstate", None) or ""
    return any(state.startswith(beginning) for beginning in states)


def is_worth_repeating(error: BaseException) -> bool:
    """Whether the database only asks for the same transaction again."""
    return says(error, _AGAIN)
