"""Clients that only read the same records: raw ones, and FastStream as its documentation shows it."""

import asyncio

from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram512
from outrider_contracts.airflow import RunFinished

from benchmarks.bus.meter import Meter
from benchmarks.bus.stand import Place

_BATCH = 500


async def raw_aiokafka(place: Place, topic: str, count: int) -> dict[str, float]:
    """getmany, the bytes untouched."""
    consumer = AIOKafkaConsumer(
        topic, **place.kafka.client_options, group_id=_group(place), auto_offset_reset="earliest"
    )
    await consumer.start()
    meter = Meter()
    read = 0
    while read < count:
        read += sum(map(len, (await consumer.getmany(timeout_ms=200, max_records=_BATCH)).values()))
    figures = meter.stop(read)
    await consumer.stop()
    return figures


async def raw_confluent(place: Place, topic: str, count: int) -> dict[str, float]:
    """consume, the bytes untouched; librdkafka reads ahead in threads of its own, which count as CPU time."""
    consumer = Consumer(
        {
            "bootstrap.servers": place.kafka.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": place.kafka.username,
            "sasl.password": place.kafka.password,
            "group.id": _group(place),
            "auto.offset.reset": "earliest",
        }
    )
    joined = asyncio.Event()
    consumer.subscribe([topic], on_assign=lambda *_: joined.set())
    read = 0
    while not joined.is_set():
        read += consumer.poll(0.01) is not None
    meter = Meter()
    while read < count:
        read += len(consumer.consume(_BATCH, timeout=0.2))
    figures = meter.stop(read)
    consumer.close()
    return figures


async def faststream_single(place: Place, topic: str, count: int) -> dict[str, float]:
    """A subscriber with a pydantic model, everything else by default."""
    broker = _broker(place)
    tally = _Tally(count)

    @broker.subscriber(topic, group_id=_group(place), auto_offset_reset="earliest")
    async def hear(fact: RunFinished) -> None:
        tally.add(1)

    return await tally.measured(broker)


async def faststream_batch(place: Place, topic: str, count: int) -> dict[str, float]:
    """A batch subscriber with a list of pydantic models, everything else by default."""
    broker = _broker(place)
    tally = _Tally(count)

    @broker.subscriber(topic, group_id=_group(place), auto_offset_reset="earliest", batch=True, max_records=_BATCH)
    async def hear(facts: list[RunFinished]) -> None:
        tally.add(len(facts))

    return await tally.measured(broker)


class _Tally:
    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0
        self._enough = asyncio.Event()

    def add(self, records: int) -> None:
        self._seen += records
        if self._seen >= self._count:
            self._enough.set()

    async def measured(self, broker: KafkaBroker) -> dict[str, float]:
        await broker.start()  # returns once the group is joined
        meter = Meter()
        await self._enough.wait()
        figures = meter.stop(self._seen)
        await broker.stop()
        return figures


def _broker(place: Place) -> KafkaBroker:
    security = SASLScram512(place.kafka.username, place.kafka.password)
    return KafkaBroker(place.kafka.bootstrap_servers, security=security, logger=None)


def _group(place: Place) -> str:
    return f"reader-{place.dsn.rsplit('_', 1)[1]}"
