"""What a good engineer writes by hand on aiokafka and asyncpg for the same effect: the yardstick of BatchTx.

It reads, decodes and checks by the same contract, keeps inbox, state and outbox in one transaction, commits its offsets
by hand, and relays the outbox in order per key. What it does without: poison, refusals, outages, rebalances (a record
that can't be read ends it), metrics, and a second process of its kind.
"""

import asyncio
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode

from benchmarks.bus import workload
from benchmarks.bus.meter import Meter
from benchmarks.bus.stand import Place

_BATCH = 500
_TABLE = """
CREATE TABLE outbox (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, id text NOT NULL,
    key bytea, value bytea, causationid text NOT NULL,
    traceparent text NOT NULL, UNIQUE (topic, id))
"""
_SAY = """
INSERT INTO outbox (topic, id, key, value, causationid, traceparent)
SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::text[]) ON CONFLICT DO NOTHING
"""


async def loop(place: Place, topic: str, count: int, answers: bool) -> dict[str, float]:
    """Read, keep, commit, until *count* records are kept and what was said has left."""
    pool = await workload.open_pool(place)
    await pool.execute(_TABLE)
    consumer = AIOKafkaConsumer(
        topic,
        **place.kafka.client_options,
        group_id=f"hand-{place.dsn.rsplit('_', 1)[1]}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    said = asyncio.Event()
    relay = asyncio.create_task(_relay(place, pool, said)) if answers else None
    meter = Meter()
    kept = 0
    while kept < count:
        read = await consumer.getmany(timeout_ms=200, max_records=_BATCH)
        batch = [record for found in read.values() for record in found]
        if batch:
            async with pool.acquire() as connection, connection.transaction():
                kept += await _keep(connection, topic, batch, answers)
            said.set()
            await consumer.commit()
    if relay:
        await workload.until(pool, "NOT EXISTS (SELECT FROM outbox)")
    figures = meter.stop(kept)
    if relay:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
    await consumer.stop()
    await pool.close()
    return figures


async def _keep(connection: Any, topic: str, batch: list[Any], answers: bool) -> int:
    facts: dict[str, RunFinished] = {}
    for record in batch:
        headers = dict(record.headers)
        if headers["ce_type"].decode() == RunFinished.type:
            facts.setdefault(headers["ce_id"].decode(), RunFinished.model_validate_json(record.value))
    new = {row["event_id"] for row in await connection.fetch(workload.INBOX, topic, list(facts))}
    fresh = {event_id: event for event_id, event in facts.items() if event_id in new}
    await connection.execute(workload.UPSERT, *workload.columns(list(fresh.values())))
    if answers:
        rows = []
        for event_id, event in fresh.items():
            record = encode(workload.note(event), source="/bench", causationid=event_id)
            trace = dict(record.headers).get("traceparent", b"").decode()
            rows.append((record.id, record.key.encode(), record.value, event_id, trace))
        columns = zip(*rows, strict=True)
        await connection.execute(_SAY, workload.RunNoted.topic, *map(list, columns))
    return len(fresh)


async def _relay(place: Place, pool: "asyncpg.Pool[asyncpg.Record]", said: asyncio.Event) -> None:
    """Carry the outbox to Kafka, oldest rows first; a failure ends it."""
    producer = AIOKafkaProducer(**place.kafka.client_options, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        while True:
            rows = await pool.fetch("SELECT * FROM outbox ORDER BY seq LIMIT $1", _BATCH)
            if not rows:
                said.clear()
                await said.wait()
                continue
            sent = []
            for row in rows:
                headers = [("ce_specversion", b"1.0"), ("ce_id", row["id"].encode()), ("ce_source", b"/bench")]
                headers += [("ce_type", workload.RunNoted.type.encode()), ("content-type", b"application/json")]
                headers += [("ce_subject", row["key"]), ("ce_causationid", row["causationid"].encode())]
                headers.append(("traceparent", row["traceparent"].encode()))
                sent.append(await producer.send(row["topic"], row["value"], key=row["key"], headers=headers))
            await asyncio.gather(*sent)
            await pool.execute("DELETE FROM outbox WHERE seq = ANY ($1::bigint[])", [row["seq"] for row in rows])
    finally:
        await producer.stop()
