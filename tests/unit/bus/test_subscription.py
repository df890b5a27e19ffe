"""A subscription whose consumer breaks: it is made anew until Kafka is there, and commits go on."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError
from outrider_bus.counters import Counters
from outrider_bus.reading.assignment import Assignment
from outrider_bus.reading.subscription import Subscription
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing

PARTITION = TopicPartition("t", 0)
QUICK = Timing(drain=0.01, outage_first=0.001, outage_cap=0.001, commit_interval=0.001)


class Idle:
    """A runner with nothing in hand."""

    def assigned(self, assignment: Assignment) -> None:
        """Nothing of it is worked on."""

    def feed(self, records: object) -> None:
        """Nothing comes."""

    async def drain(self) -> None:
        """Nothing is in hand."""


class Away:
    """FastStream's subscriber while Kafka is away: consumers of aiokafka that are made and reach nobody."""

    def __init__(self, fails: int) -> None:
        self.consumer: AIOKafkaConsumer | None = AIOKafkaConsumer("t", group_id="g")
        self.starts = 0
        self._fails = fails

    async def start(self) -> None:
        self.starts += 1
        self.consumer = AIOKafkaConsumer("t", group_id="g")
        if self.starts <= self._fails:
            raise KafkaConnectionError("unable to bootstrap")

    async def stop(self) -> None:
        if self.consumer:
            await self.consumer.stop()
        self.consumer = None


class Committing:
    """Its first commit never ends, as one of a client that is closed meanwhile."""

    def __init__(self) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.consumer = self

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.commits.append(offsets)
        if len(self.commits) == 1:
            await asyncio.Event().wait()


def subscription(subscriber: object) -> Subscription:
    made = Subscription(
        group="g", topics=["t"], pattern="", make_runner=lambda _: cast("Any", Idle()), timing=QUICK,
        counters=Counters("g"),
    )  # fmt: skip
    made._subscriber = subscriber
    return made


async def test_a_consumer_is_made_anew_until_kafka_is_there() -> None:
    """One that never reached Kafka has less to close than one that broke."""
    away = Away(fails=3)

    await subscription(away)._reopen()

    assert away.starts == 4
    await away.stop()


async def test_a_commit_that_never_ends_holds_up_no_other() -> None:
    """Else nothing is committed any more once the consumer was made anew."""
    kafka = Committing()
    reading = subscription(kafka)
    reading.assignment = Assignment([PARTITION])
    record = RawRecord("t", 0, 6, datetime(2026, 11, 1, tzinfo=UTC), None, b"{}")
    reading.assignment.feed(record)
    reading.assignment.done(record)
    committing = asyncio.create_task(reading._commit_now_and_then())

    reading.progress()
    async with asyncio.timeout(5):
        while reading.assignment.to_commit():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)

    assert kafka.commits == [{PARTITION: 7}] * 2
    committing.cancel()
