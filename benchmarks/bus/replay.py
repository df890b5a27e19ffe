"""A replay beside a raw read of the same topic, and its memory at a tenth and at the end of a million records.

The replay is one of missing records where none is missing, as after a fright: every record is read, sifted and asked
for in the inbox. A raw read takes the bytes with aiokafka's getmany and looks at nothing.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from outrider_bus.bus import Bus
from outrider_bus.ports import Heard, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event
from outrider_contracts.replays import ReplayRequest

from benchmarks.bus import workload
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Aim, Row, Section
from benchmarks.bus.meter import Meter, resident_mib
from benchmarks.bus.stand import Place, Stand

_RECORDS = 1_000_000
_GROUP = "bench-replayed"


def measure(stand: Stand, effort: Effort) -> Section:
    """One round: what is asked is whether a million records can be replayed, not the last percent."""
    count = effort.of(_RECORDS)
    effort.say(f"  writing {count:,} records")
    topic = stand.make_topic("replay")
    stand.fill(topic, workload.records(count))
    raw = stand.run("benchmarks.bus.readers:raw_aiokafka", topic=topic, count=count)
    effort.say(f"  raw read: {raw['records/s']:,.0f} records/s")
    replayed = stand.run("benchmarks.bus.replay:missing", topic=topic, count=count)
    effort.say(f"  replay: {replayed['records/s']:,.0f} records/s")
    grown = replayed["MiB at 100 %"] - replayed["MiB at 10 %"]
    aims = [
        Aim("replay ÷ raw read, by records/s", replayed["records/s"] / raw["records/s"], 0.5),
        Aim("memory from 10 % to 100 % of the records, MiB more", grown, 32, at_most=True),
    ]
    return Section(f"replay: {count:,} records", [Row("raw aiokafka getmany", raw), Row("replay", replayed)], aims)


async def missing(place: Place, topic: str, count: int) -> dict[str, float]:
    """Replay what a group has worked off."""
    pool = await workload.open_pool(place)
    await _have_been_worked_off(place, pool, topic, count)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)

    async def keep(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        raise AssertionError("nothing was missing")

    bus.batches(group=_GROUP, topics=[topic], types=[RunFinished], handler=keep)
    await bus.start()
    meter = Meter()
    job = await bus.replays.order(ReplayRequest(group=_GROUP, topic=topic, mode="missing", reason="bench"), actor="me")
    at_a_tenth = 0.0
    while not job.is_over:
        await asyncio.sleep(0.1)
        job = await bus.replays.get(job.id)
        if not at_a_tenth and job.counts.read >= count / 10:
            at_a_tenth = resident_mib()
    figures = {**meter.stop(count), "MiB at 10 %": at_a_tenth, "MiB at 100 %": resident_mib()}
    await bus.stop()
    await pool.close()
    if job.status != "done" or job.counts.known != count:
        raise SystemExit(f"the replay ended as {job.status} with {job.counts}")
    return figures


async def _have_been_worked_off(place: Place, pool: Any, topic: str, count: int) -> None:
    """Have inbox and committed offsets as if the group had heard the topic to its end."""
    for begin in range(0, count, 50_000):
        rows = [(_GROUP, topic, record.id) for record in workload.records(min(50_000, count - begin), first=begin)]
        await pool.copy_records_to_table(
            "inbox", schema_name="bus", columns=["group_id", "topic", "event_id"], records=rows
        )
    await pool.execute("VACUUM ANALYZE bus.inbox")
    consumer = AIOKafkaConsumer(**place.kafka.client_options, group_id=_GROUP, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in await consumer._client._wait_on_metadata(topic)]
    consumer.assign(partitions)
    await consumer.commit(await consumer.end_offsets(partitions))
    await consumer.stop()
