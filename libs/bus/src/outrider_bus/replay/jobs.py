"""The book of replays in PostgreSQL: jobs, their cursors and failures, and the lease of whoever works on one."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from outrider_contracts.replays import Replay, ReplayChoice, ReplayCounts, ReplayFailure, ReplayPlan, ReplayProgress

from outrider_bus.ports import Connection

_FAILURES_KEPT = 100
_COLUMNS = """
SELECT id, choice::text AS choice, actor, reason, digest, status, counts::text AS counts, note, epoch, created_at,
       changed_at FROM bus.replays
"""
_INSERT = """
INSERT INTO bus.replays (id, group_id, choice, actor, reason, digest) VALUES ($1, $2, $3::text::jsonb, $4, $5, $6)
"""
_INSERT_PARTITIONS = """
INSERT INTO bus.replay_partitions (replay_id, partition, start_offset, end_offset, cursor)
SELECT $1, r.partition, r.start_offset, r.end_offset, r.start_offset
FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS r (partition, start_offset, end_offset)
"""
_CLAIM = """
UPDATE bus.replays SET status = 'running', epoch = epoch + 1, lease_until = clock_timestamp() + $2,
                       changed_at = clock_timestamp()
WHERE id = (SELECT id FROM bus.replays
            WHERE group_id = ANY ($1::text[]) AND status IN ('queued', 'running') AND lease_until < clock_timestamp()
            ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_SAVE = """
UPDATE bus.replays SET counts = $3::text::jsonb, note = $4, status = $5, lease_until = clock_timestamp() + $6,
                       changed_at = clock_timestamp()
WHERE id = $1 AND epoch = $2 AND status = 'running' RETURNING true
"""
_MOVE = """
UPDATE bus.replay_partitions AS p SET cursor = r.cursor FROM unnest($2::int[], $3::bigint[]) AS r (partition, cursor)
WHERE p.replay_id = $1 AND p.partition = r.partition AND p.cursor < r.cursor
"""
_FAIL = """
INSERT INTO bus.replay_failures (replay_id, partition, "offset", reason)
SELECT $1, r.partition, r.place, r.reason
FROM unnest($2::int[], $3::bigint[], $4::text[]) AS r (partition, place, reason)
LIMIT greatest(0, $5 - (SELECT count(*) FROM bus.replay_failures WHERE replay_id = $1))
ON CONFLICT DO NOTHING
"""
_TURN = """
UPDATE bus.replays SET status = $2, note = '', changed_at = clock_timestamp(),
                       lease_until = CASE WHEN $2 = 'queued' THEN '-infinity' ELSE lease_until END
WHERE id = $1 AND status = ANY ($3::text[]) RETURNING true
"""


@dataclass(frozen=True)
class Claimed:
    """A job and the epoch under which it is worked on."""

    job: Replay
    epoch: int


async def add(connection: Connection, id: str, plan: ReplayPlan, *, actor: str, reason: str) -> None:
    """Enter a job."""
    choice = ReplayChoice.model_validate(plan.model_dump()).model_dump_json()
    await connection.execute(_INSERT, id, plan.group, choice, actor, reason, plan.digest)
    ranges = zip(*((r.partition, r.start, r.end) for r in plan.ranges), strict=True)
    await connection.execute(_INSERT_PARTITIONS, id, *map(list, ranges))


async def read(connection: Connection, groups: Collection[str], id: str | None = None) -> list[Replay]:
    """Jobs of *groups* (or the one), newest first."""
    rows = await connection.fetch(
        _COLUMNS + "WHERE group_id = ANY ($1::text[]) AND ($2::text IS NULL OR id = $2) "
        "ORDER BY created_at DESC, id LIMIT 200",
        list(groups), id,
    )  # fmt: skip
    return [await _job(connection, row) for row in rows]


async def claim(connection: Connection, groups: Collection[str], *, lease: float) -> Claimed | None:
    """Take the oldest job that nobody works on; None where there is none."""
    id = await connection.fetchval(_CLAIM, list(groups), timedelta(seconds=lease))
    if id is None:
        return None
    row = await connection.fetchrow(_COLUMNS + "WHERE id = $1", id)
    assert row is not None
    return Claimed(await _job(connection, row), row["epoch"])


async def save(
    connection: Connection, claimed: Claimed, counts: ReplayCounts, cursors: Mapping[int, int],
    failures: Sequence[ReplayFailure], *, note: str = "", status: str = "running", lease: float,
) -> bool:  # fmt: skip
    """Keep how far it is and the lease; False where the job is no longer ours: cancelled, or taken over."""
    id, told = claimed.job.id, counts.model_dump_json()
    held = await connection.fetchval(_SAVE, id, claimed.epoch, told, note, status, timedelta(seconds=lease))
    if held:
        await connection.execute(_MOVE, id, list(cursors), list(cursors.values()))
        columns = [f.partition for f in failures], [f.offset for f in failures], [f.reason for f in failures]
        await connection.execute(_FAIL, id, *columns, _FAILURES_KEPT)
    return bool(held)


async def turn(connection: Connection, id: str, status: str, *, among: Sequence[str]) -> bool:
    """Put a job that is in one of the states *among* into *status*; False where it is in another."""
    return bool(await connection.fetchval(_TURN, id, status, list(among)))


async def _job(connection: Connection, row: asyncpg.Record) -> Replay:
    parts = await connection.fetch(
        "SELECT partition, start_offset, end_offset, cursor FROM bus.replay_partitions WHERE replay_id = $1 "
        "ORDER BY partition",
        row["id"],
    )
    failed = await connection.fetch(
        'SELECT partition, "offset", reason FROM bus.replay_failures WHERE replay_id = $1 ORDER BY 1, 2', row["id"]
    )
    plain = ("id", "status", "actor", "reason", "digest", "note", "created_at", "changed_at")
    return Replay.model_validate({
        **json.loads(str(row["choice"])),
        **{name: row[name] for name in plain},
        "counts": json.loads(str(row["counts"])),
        "partitions": [ReplayProgress(partition=p[0], start=p[1], end=p[2], cursor=p[3]) for p in parts],
        "failures": [ReplayFailure(partition=f[0], offset=f[1], reason=f[2]) for f in failed],
    })  # fmt: skip
