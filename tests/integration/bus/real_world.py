"""A bus on real Kafka and PostgreSQL, with an input topic, a group, a team and a database of its own."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from outrider_bus import MIGRATIONS
from outrider_bus.bus import Bus
from outrider_bus.database import SESSION
from outrider_bus.handling.again import Outcome, handle_again
from outrider_bus.kafka import KafkaAddress
from outrider_bus.records import RawHeaders, raw
from outrider_bus.timing import Timing
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.tenants import AuditRecorded
from outrider_contracts.topics import TopicSpec

from tests.unit.bus.promises import Hearing, Letter

QUICK = Timing(
    retry_delays=(0.1, 0.2, 1, 5), outage_first=0.02, outage_cap=0.3, drain=5, commit_interval=0.05,
    relay_poll=0.2, parked_poll=0.2, parked_look=0.5, replay_lease=2, unroutable_retry=1, frozen=2, broken=1,
    metadata_age=1, session=3, heartbeat=0.3,
)  # fmt: skip
_DEADLINE_SECONDS = 30.0
_WRITES = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
"""Transactions that have written and are not committed yet."""


async def eventually(true: Callable[[], Any], *, seconds: float = _DEADLINE_SECONDS) -> None:
    """Wait until *true* (a function, or one that gives an awaitable) says so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            result = true()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.03)


async def open_pool(dsn: str) -> "asyncpg.Pool[asyncpg.Record]":
    """A pool with the settings of a service's, the waiting shortened."""
    settings = dict.fromkeys(SESSION, "4s")
    return await asyncpg.create_pool(dsn, min_size=1, max_size=20, server_settings=settings)


async def _is_gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    """The controller answers before the broker knows, and until then records are taken."""
    return topic not in await admin.list_topics()


class Declared:
    """Remembers what a test declares, to declare it to every new bus."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def lanes(self, **declared: Any) -> None:
        self.calls.append(("lanes", declared))

    def batches(self, **declared: Any) -> None:
        self.calls.append(("batches", declared))

    def onto(self, bus: Bus) -> None:
        for method, declared in self.calls:
            getattr(bus, method)(**declared)


class RealWorld:
    """Made by `open`; everything it makes has a name of its own, so tests can share the servers."""

    def __init__(self, address: KafkaAddress, dsn: str, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        name = uuid.uuid4().hex[:10]
        self.address = address
        self.dsn = dsn
        self.pool = pool
        self.topic = f"outrider.test.{name}"
        self.group = f"test-{name}"
        self.team = f"t{name}"
        self.declared = Declared()
        self.buses: list[Bus] = []
        self.timing = QUICK
        self.producer = AIOKafkaProducer(**address.client_options, max_request_size=2_000_000)

    @classmethod
    async def open(cls, address: KafkaAddress, dsn: str, *, partitions: int = 3, team_topic: bool = True) -> Self:
        pool = await open_pool(dsn)
        await pool.execute("DROP SCHEMA IF EXISTS bus CASCADE")
        for file in sorted(MIGRATIONS.glob("*.sql")):
            await pool.execute(file.read_text())
        world = cls(address, dsn, pool)
        await world.make_topics({world.topic: partitions, f"outrider.dlq.{world.group}": 1})
        if team_topic:
            await world.make_topics({world.team_topic: 1})
        await world.producer.start()
        return world

    async def close(self) -> None:
        for bus in self.buses:
            await bus.stop()
        await self.producer.stop()
        self.pool.terminate()

    @property
    def bus(self) -> Hearing:
        return self.declared

    @property
    def team_topic(self) -> str:
        return f"outrider.team.{self.team}.events.v1"

    async def delete_topic(self, name: str) -> None:
        admin = AIOKafkaAdminClient(**self.address.client_options)
        await admin.start()
        try:
            await admin.delete_topics([name])
            await eventually(lambda: _is_gone(admin, name))
        finally:
            await admin.close()

    async def make_topics(self, partitions: dict[str, int], **configuration: str) -> None:
        admin = AIOKafkaAdminClient(**self.address.client_options)
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(name, count, 1, topic_configs=TopicSpec(name, "", "").configuration | configuration)
                    for name, count in partitions.items()
                ]
            )
        finally:
            await admin.close()

    async def remove_all(self) -> None:
        """Remove what the topic holds, as retention does."""
        admin = AIOKafkaAdminClient(**self.address.client_options)
        await admin.start()
        try:
            async with AIOKafkaConsumer(**self.address.client_options) as consumer:
                ends = await consumer.end_offsets(await self._partitions(consumer, self.topic))
            await admin.delete_records({partition: RecordsToDelete(end) for partition, end in ends.items()})
        finally:
            await admin.close()

    async def start(self, timing: Timing = QUICK, *, gives_up: bool = True) -> None:
        if not gives_up:
            timing = replace(timing, retry_delays=(*timing.retry_delays[:2], *[1.0] * 100))
        self.timing = timing
        bus = Bus(service=self.group, kafka=self.address, pool=self.pool, timing=timing)
        self.declared.onto(bus)
        self.buses.append(bus)
        await bus.start()

    async def stop(self) -> None:
        await self.buses.pop().stop()

    async def deliver(self, *events: Event, traceparent: str = "") -> None:
        sent = []
        for event in events:
            spelt = encode(event, source="/test", traceparent=traceparent)
            sent.append(await self._send(spelt.value, spelt.key.encode(), spelt.headers))
        await asyncio.gather(*sent)

    async def deliver_to(self, topic: str, event: Event) -> None:
        spelt = encode(event, source="/test")
        await self.producer.send_and_wait(topic, spelt.value, key=spelt.key.encode(), headers=list(spelt.headers))

    async def deliver_raw(self, value: bytes | None, *, key: bytes | None = None, headers: RawHeaders = ()) -> None:
        await (await self._send(value, key, headers))

    async def _send(self, value: bytes | None, key: bytes | None, headers: RawHeaders) -> Awaitable[object]:
        sent: Awaitable[object] = await self.producer.send(self.topic, value, key=key, headers=list(headers))
        return sent  # not `flush`: that does not wait for what is on its way already

    async def settle(self, *, seconds: float = _DEADLINE_SECONDS) -> None:
        await eventually(self._is_settled, seconds=seconds)

    async def _is_settled(self) -> bool:
        consumer = AIOKafkaConsumer(**self.address.client_options, group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._partitions(consumer, self.topic)
            ends = await consumer.end_offsets(partitions)
            behind = [p for p, end in ends.items() if (await consumer.committed(p) or 0) != end]
        finally:
            await consumer.stop()
        if behind or await self.pool.fetchval(_WRITES):  # a parked record in hand holds no offset back
            return False
        return not await self.pool.fetchval("SELECT count(*) FROM bus.outbox")

    async def until(self, true: Callable[[], bool]) -> None:
        await eventually(true)

    async def redeliver(self) -> None:
        """Stop, set the group back to the beginning, start anew."""
        await self.stop()
        consumer = AIOKafkaConsumer(**self.address.client_options, group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = await self._partitions(consumer, self.topic)
            consumer.assign(partitions)
            await consumer.commit(dict.fromkeys(partitions, 0))
        finally:
            await consumer.stop()
        await self.start(self.timing)

    async def handle_again(self, *, scope: str) -> list[Outcome]:
        bus = self.buses[-1]
        group, records = bus.groups[self.group], [raw(*found) for found in await self._everything(self.topic)]
        return [await handle_again(group, record, bus.database, scope=scope) for record in records]

    async def answers(self) -> list[Letter]:
        return [letter for letter in await self.records_of(AuditRecorded.topic) if letter.key == self.team.encode()]

    async def dead_letters(self) -> list[Letter]:
        return await self.records_of(f"outrider.dlq.{self.group}")

    async def records_of(self, topic: str) -> list[Letter]:
        return [Letter(r.key, r.value, tuple(r.headers)) for _, r in await self._everything(topic)]

    async def _everything(self, topic: str) -> list[tuple[TopicPartition, Any]]:
        options = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
        consumer = AIOKafkaConsumer(**self.address.client_options, **options)
        await consumer.start()
        try:
            partitions = await self._partitions(consumer, topic)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[tuple[TopicPartition, Any]] = []
            while any([await consumer.position(p) < end for p, end in ends.items()]):
                for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                    found += [(partition, record) for record in records]
            return found
        finally:
            await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> Sequence[TopicPartition]:
        await consumer._client._wait_on_metadata(topic)
        return [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
