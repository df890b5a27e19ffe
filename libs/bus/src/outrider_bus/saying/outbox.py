"""The outbox as the relay sees it: rows in the order they were said, one active relay per database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from outrider_bus.ports import Connection
from outrider_bus.records import OutboxRow, unpack_headers

_OLDEST = "SELECT * FROM bus.outbox WHERE stuck IS NULL ORDER BY seq LIMIT $2"
_OLDEST_WITHOUT = """
WITH RECURSIVE topics AS (
    (SELECT topic FROM bus.outbox WHERE stuck IS NULL ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT (SELECT o.topic FROM bus.outbox o WHERE o.stuck IS NULL AND o.topic > t.topic ORDER BY o.topic LIMIT 1)
    FROM topics t WHERE t.topic IS NOT NULL
)
SELECT r.* FROM topics t CROSS JOIN LATERAL (
    SELECT * FROM bus.outbox o WHERE o.stuck IS NULL AND o.topic = t.topic ORDER BY o.seq LIMIT $2
) r WHERE t.topic <> ALL ($1::text[]) ORDER BY r.seq LIMIT $2
"""  # steps from topic to topic: what waits for a closed one is not looked at, however much it is
_NEXT = """
SELECT seq, topic, id, key, value, headers::text AS headers FROM (
    SELECT *, sum(coalesce(octet_length(value), 0) + coalesce(octet_length(key), 0) + pg_column_size(headers))
           OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS before
    FROM ({rows}) AS oldest
) AS r WHERE coalesce(before, 0) < $3 AND $1::text[] IS NOT NULL ORDER BY seq
"""
_NEXT_OF_ALL, _NEXT_WITHOUT = _NEXT.format(rows=_OLDEST), _NEXT.format(rows=_OLDEST_WITHOUT)
_MOST_BYTES = 16_000_000
_DELETE = "DELETE FROM bus.outbox WHERE seq = ANY ($1::bigint[])"
_SET_ASIDE = "UPDATE bus.outbox SET stuck = $2 WHERE seq = $1"
_STUCK = """
SELECT seq, topic, id, key, octet_length(value) AS bytes, said_at, stuck FROM bus.outbox
WHERE stuck IS NOT NULL ORDER BY seq LIMIT 1000
"""
_WAITING = """
SELECT topic, count(*) AS rows, extract(epoch FROM now() - min(said_at))::float8 AS seconds
FROM bus.outbox WHERE stuck IS NULL GROUP BY topic ORDER BY topic
"""
_CHOSEN = "WHERE seq = ANY ($1::bigint[]) AND stuck IS NOT NULL RETURNING topic, id, key"
_RETRY = f"UPDATE bus.outbox SET stuck = NULL {_CHOSEN}"  # noqa: S608 - nothing from outside
_DISCARD = f"DELETE FROM bus.outbox {_CHOSEN}"  # noqa: S608
_WAKE = "SELECT pg_notify('bus_outbox', '')"
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('outrider_bus.saying.relay', 0))"
_END_FROZEN = """
SELECT pg_terminate_backend(holder.pid)
FROM pg_locks JOIN pg_stat_activity AS holder USING (pid)
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = hashtextextended('outrider_bus.saying.relay', 0)
  AND holder.state_change < now() - $1::interval
"""


class Said(NamedTuple):
    """One row with its place in the order."""

    seq: int
    row: OutboxRow


async def becomes_active(connection: Connection, *, frozen_seconds: float) -> bool:
    """Whether this session is the one relay now; the lock ends with the session.

    A relay looks at its rows every second or so. One that has not for *frozen_seconds* (its process is stopped, its
    machine hangs) is parted from its session, so that rows never wait for it.
    """
    if await connection.fetchval(_TRY_LOCK):
        return True
    await connection.execute(_END_FROZEN, timedelta(seconds=frozen_seconds))
    return False


async def next_rows(connection: Connection, *, without: Collection[str], limit: int) -> list[Said]:
    """The oldest rows, leaving out topics that can't be written now; fewer where they are large."""
    rows = await connection.fetch(_NEXT_WITHOUT if without else _NEXT_OF_ALL, list(without), limit, _MOST_BYTES)
    return [
        Said(r["seq"], OutboxRow(r["topic"], r["id"], r["key"], r["value"], unpack_headers(r["headers"]))) for r in rows
    ]


async def delete(connection: Connection, seqs: Collection[int]) -> None:
    """Kafka has acknowledged these."""
    await connection.execute(_DELETE, list(seqs))


async def set_aside(connection: Connection, seq: int, why: str) -> None:
    """Kafka will never take this one; it stays for people to look at."""
    await connection.execute(_SET_ASIDE, seq, why)


@dataclass(frozen=True)
class Stuck:
    """A row that Kafka does not take, as people see it."""

    seq: int
    topic: str
    id: str
    key: bytes | None
    bytes: int
    said_at: datetime
    why: str


async def stuck(connection: Connection) -> list[Stuck]:
    """The oldest rows that were set aside."""
    return [Stuck(*row) for row in await connection.fetch(_STUCK)]


async def waiting(connection: Connection) -> list[tuple[str, int, float]]:
    """Per topic: how many rows wait to be carried, and for how many seconds the oldest does."""
    return [(row["topic"], row["rows"], row["seconds"]) for row in await connection.fetch(_WAITING)]


async def release(connection: Connection, seqs: Collection[int], *, discard: bool) -> list[asyncpg.Record]:
    """Have rows that were set aside carried once more, or drop them; gives those that were still there."""
    rows = await connection.fetch(_DISCARD if discard else _RETRY, list(seqs))
    if rows and not discard:
        await connection.execute(_WAKE)
    return rows
