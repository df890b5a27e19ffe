"""The service as `app` wires it, on real Kafka under its own principal, with a way to say and to listen as others."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from lineage.app import wire
from lineage.settings import Settings
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress
from outrider_chassis.database import Pool
from outrider_chassis.http import make_app
from outrider_chassis.metrics import Metrics
from outrider_chassis.service import Resources
from outrider_chassis.tokens import KeySet
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.topics import team_events, team_inbox
from outrider_local.handles import RunningKafka

from tests.integration.lineage.serving import NamedCallers

_SECONDS = 60.0


@dataclass
class Kafka:
    """Says things as anybody and remembers what lies in the topics that are listened to."""

    running: RunningKafka
    records: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def address(self, principal: str) -> KafkaAddress:
        password = self.running.password_file(principal).read_text()
        return KafkaAddress(self.running.bootstrap, principal, password)

    async def make_team(self, team: str) -> None:
        """The two topics tenancy makes."""
        client = AIOKafkaAdminClient(**self.address("admin").client_options)
        await client.start()
        try:
            await client.create_topics([NewTopic(name, 1, 1) for name in (team_events(team), team_inbox(team))])
        finally:
            await client.close()

    async def say(self, *events: Event) -> None:
        async with self._producer() as producer:
            for event in events:
                record = encode(event, source="/test")
                await producer.send_and_wait(
                    record.topic, record.value, record.key.encode(), headers=list(record.headers)
                )

    async def report(self, team: str, *events: dict[str, Any]) -> None:
        """Write plain OpenLineage to the team's inbox."""
        async with self._producer() as producer:
            for event in events:
                await producer.send_and_wait(team_inbox(team), json.dumps(event).encode())

    async def wait(self, true: Callable[[], Any]) -> None:
        """Until *true* says so, or a deadline."""
        until = time.monotonic() + _SECONDS
        while not (found := true()) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert found

    @asynccontextmanager
    async def listening(self, *topics: str) -> AsyncIterator[None]:
        """Remember what is and will be in *topics*, oldest first."""
        consumer = AIOKafkaConsumer(
            *topics, **self.address("admin").client_options, auto_offset_reset="earliest", metadata_max_age_ms=1000
        )
        await consumer.start()
        hearing = asyncio.create_task(self._hear(consumer))
        try:
            yield
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
            await consumer.stop()

    async def _hear(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            said = {"key": (record.key or b"").decode(), "headers": headers, "value": record.value}
            self.records[record.topic].append(said)

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        # idempotent: a send that is tried again under load must not lie in the topic twice, tests count records
        producer = AIOKafkaProducer(**self.address("admin").client_options, enable_idempotence=True)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()


@asynccontextmanager
async def service(kafka: Kafka, pool: Pool, *, settle_seconds: float = 15.0) -> AsyncIterator[Bus]:
    """The service runs; leaving stops it as SIGTERM does. Ends that come by one partition wait *settle_seconds* for
    their seals, which come by another: with other tests' records before them that may take its time."""
    settings = Settings(
        kafka_bootstrap_servers=kafka.running.bootstrap, kafka_username="lineage", database_url="",
        issuer_url="http://127.0.0.1:9", settle_seconds=settle_seconds, settle_interval_seconds=0.1,
        deployment="airflow://test",
    )  # fmt: skip
    bus = Bus(service="lineage", kafka=kafka.address("lineage"), pool=pool)
    app = make_app("lineage", cast(KeySet, NamedCallers()), bus.health)
    resources = Resources(settings, pool, bus, app, Metrics(bus, pool))
    await wire(resources)
    beside = [asyncio.ensure_future(work()) for work in resources.background]
    await bus.start()
    try:
        yield bus
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await bus.stop()
