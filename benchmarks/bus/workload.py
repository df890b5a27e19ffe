"""What every contender of the effect is given and must do: the records, the tables, the statements."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import asyncpg
from outrider_bus import MIGRATIONS
from outrider_bus.database import SESSION
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import Record, encode
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey
from outrider_contracts.model import Instant

from benchmarks.bus.stand import Place

AT = datetime(2026, 11, 1, tzinfo=UTC)
_RUNS = 10_000

TABLE = """
CREATE TABLE state (run text PRIMARY KEY, state text NOT NULL, finished_at timestamptz NOT NULL);
"""
INBOX = """
INSERT INTO bus.inbox (group_id, topic, event_id) SELECT 'hand', $1, id FROM unnest($2::text[]) AS id
ON CONFLICT DO NOTHING RETURNING event_id
"""
UPSERT = """
INSERT INTO state (run, state, finished_at) SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
ON CONFLICT (run) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at
WHERE state.finished_at < excluded.finished_at
"""


class RunNoted(Event):
    """The answer to a fact."""

    type: ClassVar[str] = "outrider.bench.run-noted.v1"
    topic: ClassVar[str] = "outrider.bench.answers"
    run: RunKey
    state: str
    finished_at: Instant

    def key(self) -> str:
        return self.run.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.run, self.state, self.finished_at)


def fact(number: int, at: datetime = AT) -> RunFinished:
    """The *number*-th record: every one another fact, about ten thousand runs in all."""
    run = RunKey(team="bench", dag_id=f"dag_{number % 50}", run_id=f"scheduled__2026-11-01T{number % _RUNS:05}")
    at += timedelta(milliseconds=number)
    return RunFinished(run=run, run_started_at=AT, state="success", finished_at=at, logical_date=AT, run_after=AT)


def records(count: int, *, first: int = 0) -> Iterator[Record]:
    """The log that all contenders read."""
    return (encode(fact(number), source="/airflow/bench") for number in range(first, first + count))


def note(event: RunFinished) -> RunNoted:
    """The answer that is said where answers are asked for."""
    return RunNoted(run=event.run, state=event.state, finished_at=event.finished_at)


def columns(facts: Sequence[RunFinished]) -> tuple[list[str], list[str], list[datetime]]:
    """The arguments of UPSERT: one row per run, the last one counts."""
    last = {event.run.record_key: event for event in facts}
    return list(last), [event.state for event in last.values()], [event.finished_at for event in last.values()]


async def open_pool(place: Place, **options: Any) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool like a service's, on a database with the bus's tables and the bench's own."""
    pool = await asyncpg.create_pool(place.dsn, min_size=2, max_size=10, server_settings=SESSION, **options)
    for file in sorted(MIGRATIONS.glob("*.sql")):
        await pool.execute(file.read_text())
    await pool.execute(TABLE)
    return pool


async def until(pool: "asyncpg.Pool[asyncpg.Record]", true: str, *arguments: object) -> None:
    """Wait until the query *true* says so."""
    while not await pool.fetchval(f"SELECT {true}", *arguments):  # noqa: ASYNC110 - it's another process that tells
        await asyncio.sleep(0.01)
