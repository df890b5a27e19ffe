"""Where records of sick lanes wait, durably and in order, until they can be handled or are given up."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from aiokafka import TopicPartition

from outrider_bus.deadletters import cleaned
from outrider_bus.ports import Connection
from outrider_bus.records import RawRecord, pack_headers, unpack_headers

_PARK = """
INSERT INTO bus.parked (group_id, lane, topic, partition, "offset", said_at, key, value, headers,
                        attempts, next_try_at, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, now() + $11, $12)
ON CONFLICT (group_id, topic, partition, "offset", said_at) DO NOTHING
"""
_FIRST = """
SELECT seq, topic, partition, "offset", said_at, key, value, headers::text AS headers, attempts, reason,
       GREATEST(0, extract(epoch FROM next_try_at - now()))::float8 AS due_in
FROM bus.parked WHERE group_id = $1 AND lane = $2 ORDER BY seq LIMIT 1
"""
_LANES = """
SELECT DISTINCT p.lane FROM bus.parked p
JOIN unnest($2::text[], $3::int[]) AS a (topic, partition) USING (topic, partition)
WHERE p.group_id = $1
"""
_RECORD = """
SELECT topic, partition, "offset", said_at, key, value, headers::text AS headers FROM bus.parked WHERE seq = $1
"""
_FAILED = "UPDATE bus.parked SET attempts = $2, next_try_at = now() + $3, reason = $4 WHERE seq = $1"
_SICK = """
SELECT lane.*, p.topic, p.partition, p."offset", p.key, p.attempts, p.next_try_at, p.parked_at, p.reason
FROM (SELECT group_id, lane, min(seq) AS seq, count(*) - 1 AS behind FROM bus.parked GROUP BY group_id, lane) AS lane
JOIN bus.parked p USING (seq) ORDER BY p.parked_at
"""
_HURRY = """
UPDATE bus.parked SET next_try_at = now() WHERE group_id = $1 AND next_try_at > now()
AND seq = (SELECT min(seq) FROM bus.parked WHERE group_id = $1 AND lane = $2)
"""
_REMOVE = "DELETE FROM bus.parked WHERE seq = $1"
_LONGEST_LANE = 500


@dataclass(frozen=True)
class Parked:
    """The first record of a sick lane: how often it was tried, and when it is due."""

    seq: int
    record: RawRecord
    attempts: int
    due_in: float
    reason: str


def lane_name(lane: str) -> str:
    """A lane's name as the database can keep and index it."""
    if "\0" not in lane and len(lane) <= _LONGEST_LANE:
        return lane
    digest = hashlib.sha256(lane.encode(errors="backslashreplace")).hexdigest()
    return f"{lane[:100]}~{digest}".replace("\0", "~")


def lane_of_key(record: RawRecord) -> str:
    """The lane of a record where nobody names one: its key within its topic, its partition where it has none."""
    if record.key is None:
        return f"{record.topic}/{record.partition}"
    return lane_name(f"{record.topic}:{record.key.decode(errors='backslashreplace')}")


async def lanes(connection: Connection, group: str, partitions: Collection[TopicPartition]) -> set[str]:
    """The lanes of *partitions* that have parked records."""
    topics, numbers = [p.topic for p in partitions], [p.partition for p in partitions]
    return {row["lane"] for row in await connection.fetch(_LANES, group, topics, numbers)}


async def park(
    connection: Connection, group: str, lane: str, record: RawRecord, *, attempts: int, wait: float, reason: str
) -> None:
    """Queue *record* behind what its lane has parked. Parking it again changes nothing."""
    await connection.execute(
        _PARK, group, lane, record.topic, record.partition, record.offset, record.timestamp, record.key, record.value,
        pack_headers(record.headers), attempts, timedelta(seconds=wait), cleaned(reason),
    )  # fmt: skip


async def queue(connection: Connection, group: str, lane: str, record: RawRecord) -> None:
    """Queue what has come behind a parked record, untried."""
    await park(connection, group, lane, record, attempts=0, wait=0, reason="")


async def first(connection: Connection, group: str, lane: str) -> Parked | None:
    """What the lane has to try next; None once it is healthy."""
    row = await connection.fetchrow(_FIRST, group, lane)
    if row is None:
        return None
    return Parked(row["seq"], _record(row), row["attempts"], row["due_in"], row["reason"])


async def record(connection: Connection, seq: int) -> RawRecord | None:
    """One parked record; None where it is gone."""
    row = await connection.fetchrow(_RECORD, seq)
    return _record(row) if row else None


async def failed(connection: Connection, parked: Parked, *, wait: float, reason: str) -> None:
    """One more try went wrong; the next is due in *wait* seconds."""
    await connection.execute(_FAILED, parked.seq, parked.attempts + 1, timedelta(seconds=wait), cleaned(reason))


async def remove(connection: Connection, seq: int) -> None:
    """It is handled or given up."""
    await connection.execute(_REMOVE, seq)


@dataclass(frozen=True)
class SickLane:
    """A lane that waits, as people see it: its first record, and how many are queued behind that."""

    group: str
    lane: str
    seq: int
    origin: str
    key: bytes | None
    attempts: int
    next_try_at: datetime
    parked_at: datetime
    reason: str
    behind: int


async def sick(connection: Connection) -> list[SickLane]:
    """Every lane with parked records, the longest parked first."""
    return [
        SickLane(
            r["group_id"], r["lane"], r["seq"], f"{r['topic']}/{r['partition']}/{r['offset']}", r["key"], r["attempts"],
            r["next_try_at"], r["parked_at"], r["reason"], r["behind"],
        )
        for r in await connection.fetch(_SICK)
    ]  # fmt: skip


async def hurry(connection: Connection, group: str, lane: str) -> None:
    """Make the first record of a lane due now."""
    await connection.execute(_HURRY, group, lane)


def _record(row: asyncpg.Record) -> RawRecord:
    return RawRecord(
        row["topic"], row["partition"], row["offset"], row["said_at"], row["key"], row["value"],
        unpack_headers(row["headers"]),
    )  # fmt: skip
