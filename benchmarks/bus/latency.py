"""How long from a record's production until its effect is kept, at a steady 500 records a second.

The clock starts when the record is handed to the producer and stops when the transaction is committed (for those who
only read: when the handler has it). Producer and contender share one process and one clock; the producer is
confluent-kafka's, whose work is done in threads of its own.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram512
from outrider_bus.bus import Bus
from outrider_bus.ports import Begin, Heard, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event

from benchmarks.bus import workload
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Aim, Row, Section, medians
from benchmarks.bus.stand import Place, Stand

_PER_SECOND = 500
_SECONDS = 20
_CONTENDERS = {
    "BatchTx": "batches",
    "KeyLanes": "lanes",
    "aiokafka + asyncpg by hand": "by_hand",
    "FastStream single, ACK, same transaction": "faststream",
    "only reading: aiokafka getone": "reading",
}
_GROUP = "latency"


def measure(stand: Stand, effort: Effort) -> Section:
    """Each contender hears a topic of its own."""
    count = effort.of(_PER_SECOND * _SECONDS)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in _CONTENDERS}
    for number in range(effort.rounds):
        for name, function in _CONTENDERS.items():
            topic = stand.make_topic("latency")
            figures = stand.run(f"benchmarks.bus.latency:{function}", topic=topic, count=count)
            effort.say(f"  {number + 1}/{effort.rounds} {name}: p99 {figures['p99 ms']:.1f} ms")
            rounds[name].append(figures)
    seen = {name: medians(figures) for name, figures in rounds.items()}
    aims = [
        Aim(f"{name}, produce → effect at {_PER_SECOND}/s, p99 ms", seen[name]["p99 ms"], 20, at_most=True)
        for name in ("BatchTx", "KeyLanes")
    ]
    return Section(f"latency: {count:,} records at {_PER_SECOND}/s", [Row(*item) for item in seen.items()], aims)


class _Clock:
    """Sends records at a steady pace, and is told when their effects are kept."""

    def __init__(self, place: Place, topic: str, count: int) -> None:
        self._topic = topic
        self._count = count
        options = place.kafka
        self._producer = Producer(
            {
                "bootstrap.servers": options.bootstrap_servers,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": options.username,
                "sasl.password": options.password,
                "acks": "all",
                "linger.ms": 0,
            }
        )
        self._sent: dict[datetime, float] = {}
        self._took: list[float] = []
        self._enough = asyncio.Event()

    def kept(self, facts: Iterable[RunFinished]) -> None:
        """These effects are there."""
        now = time.perf_counter()
        for fact in facts:
            if sent := self._sent.pop(fact.finished_at, 0.0):
                self._took.append(now - sent)
        if len(self._took) >= self._count:
            self._enough.set()

    async def measured(self) -> dict[str, float]:
        """Send all, wait for all; the first tenth is a warm-up and does not count."""
        start, began = time.perf_counter(), datetime.now(UTC)
        cpu = time.process_time()
        for number in range(self._count):
            await asyncio.sleep(start + number / _PER_SECOND - time.perf_counter())
            fact = workload.fact(number, began)
            record = encode(fact, source="/airflow/bench")
            self._sent[fact.finished_at] = time.perf_counter()
            self._producer.produce(self._topic, value=record.value, key=record.key, headers=list(record.headers))
            self._producer.poll(0)
        async with asyncio.timeout(60):
            await self._enough.wait()
        self._producer.flush(5)
        cpu = time.process_time() - cpu
        quantiles = statistics.quantiles(self._took[self._count // 10 :], n=100)
        return {"p50 ms": quantiles[49] * 1e3, "p99 ms": quantiles[98] * 1e3, "CPU µs/record": cpu / self._count * 1e6}


class _Commits:
    """Told by a pool's connections what they commit: one transaction's facts are kept when its COMMIT has returned."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._under_way: dict[int, Sequence[RunFinished]] = {}

    def under_way(self, connection: Any, facts: Sequence[RunFinished]) -> None:
        """*facts* are kept with the transaction that *connection* is in."""
        self._under_way[connection.get_server_pid()] = facts

    async def watch(self, connection: Any) -> None:
        """For `create_pool(init=…)`."""
        pid = connection.get_server_pid()

        def ran(query: Any) -> None:
            if query.query.startswith("COMMIT"):
                self._clock.kept(self._under_way.pop(pid, ()))

        connection.add_query_logger(ran)


async def batches(place: Place, topic: str, count: int) -> dict[str, float]:
    """BatchTx."""

    def declare(bus: Bus, under_way: Callable[[Any, Sequence[RunFinished]], None]) -> None:
        async def keep(facts: Sequence[Heard[Event]], tx: Tx) -> None:
            events = [cast(RunFinished, heard.event) for heard in facts]
            under_way(tx.connection, events)
            await tx.connection.execute(workload.UPSERT, *workload.columns(events))

        bus.batches(group=_GROUP + topic, topics=[topic], types=[RunFinished], handler=keep)

    return await _on_the_bus(place, topic, count, declare)


async def lanes(place: Place, topic: str, count: int) -> dict[str, float]:
    """KeyLanes: a transaction per record."""

    def declare(bus: Bus, under_way: Callable[[Any, Sequence[RunFinished]], None]) -> None:
        async def keep(heard: Heard[Event], begin: Begin) -> None:
            async with begin() as tx:
                event = cast(RunFinished, heard.event)
                under_way(tx.connection, [event])
                await tx.connection.execute(workload.UPSERT, *workload.columns([event]))

        bus.lanes(group=_GROUP + topic, topics=[topic], handlers={RunFinished: keep}, lane=lambda event: event.key())

    return await _on_the_bus(place, topic, count, declare)


async def _on_the_bus(place: Place, topic: str, count: int, declare: Callable[..., None]) -> dict[str, float]:
    clock = _Clock(place, topic, count)
    commits = _Commits(clock)
    pool = await workload.open_pool(place, init=commits.watch)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)
    declare(bus, commits.under_way)
    await bus.start()
    figures = await clock.measured()
    await bus.stop()
    await pool.close()
    return figures


async def by_hand(place: Place, topic: str, count: int) -> dict[str, float]:
    """One transaction for whatever a poll gives, then the offsets."""
    clock = _Clock(place, topic, count)
    pool = await workload.open_pool(place)
    consumer = AIOKafkaConsumer(topic, **place.kafka.client_options, group_id=_GROUP + topic, enable_auto_commit=False)
    await consumer.start()

    async def loop() -> None:
        while True:
            read = await consumer.getmany(timeout_ms=200, max_records=500)
            batch = [record for found in read.values() for record in found]
            if batch:
                events = [RunFinished.model_validate_json(record.value) for record in batch]
                ids = [dict(record.headers)["ce_id"].decode() for record in batch]
                async with pool.acquire() as connection, connection.transaction():
                    await connection.fetch(workload.INBOX, topic, ids)
                    await connection.execute(workload.UPSERT, *workload.columns(events))
                clock.kept(events)
                await consumer.commit()

    return await _beside(loop(), consumer, clock, pool)


async def reading(place: Place, topic: str, count: int) -> dict[str, float]:
    """No effect at all: what Kafka itself takes."""
    clock = _Clock(place, topic, count)
    consumer = AIOKafkaConsumer(topic, **place.kafka.client_options, group_id=_GROUP + topic)
    await consumer.start()

    async def loop() -> None:
        async for record in consumer:
            clock.kept([RunFinished.model_validate_json(record.value)])

    return await _beside(loop(), consumer, clock)


async def faststream(place: Place, topic: str, count: int) -> dict[str, float]:
    """A subscriber as documented, acknowledging after its handler, which keeps one record per transaction."""
    clock = _Clock(place, topic, count)
    pool = await workload.open_pool(place)
    security = SASLScram512(place.kafka.username, place.kafka.password)
    broker = KafkaBroker(place.kafka.bootstrap_servers, security=security, logger=None)

    @broker.subscriber(topic, group_id=_GROUP + topic, ack_policy=AckPolicy.ACK)
    async def hear(fact: RunFinished) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.fetch(workload.INBOX, topic, [fact.id])
            await connection.execute(workload.UPSERT, *workload.columns([fact]))
        clock.kept([fact])

    await broker.start()
    figures = await clock.measured()
    await broker.stop()
    await pool.close()
    return figures


async def _beside(loop: Any, consumer: Any, clock: _Clock, *closing: Any) -> dict[str, float]:
    task = asyncio.create_task(loop)
    figures = await clock.measured()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await consumer.stop()
    for resource in closing:
        await resource.close()
    return figures
