"""A poll that fails may have moved positions over records it never gave: they are read again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from outrider_bus.reading.assignment import Assignment
from outrider_bus.reading.polling import Poller
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing

A = TopicPartition("t", 0)
B = TopicPartition("t", 1)


@dataclass
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"x"
    headers: tuple[()] = ()


@dataclass
class StumblingConsumer:
    """Gives two records of each partition at a time; at every other poll it moves on, gives nothing and raises."""

    ends: dict[TopicPartition, int]
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    polls: int = 0

    async def getmany(self, *_: object, **__: object) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0)
        self.polls += 1
        read = {p: [Record(n) for n in range(at, min(at + 2, self.ends[p]))] for p, at in self.positions.items()}
        self.positions = {p: at + len(read[p]) for p, at in self.positions.items()}
        if self.polls % 2:
            raise KafkaError("stumbled")
        if not any(read.values()):
            raise ConsumerStoppedError
        return read

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def committed(self, partition: TopicPartition) -> int | None:
        return 3 if partition == A else None

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        for partition in partitions:
            self.positions[partition] = 0


async def test_what_a_failed_poll_moved_over_is_read_again() -> None:
    """A starts where it was committed, B, never committed, at its beginning."""
    consumer = StumblingConsumer({A: 9, B: 5}, {A: 3, B: 0})
    assignment = Assignment([A, B])
    fed: list[tuple[int, int]] = []

    def feed(records: Sequence[RawRecord]) -> None:
        fed.extend((record.partition, record.offset) for record in records)

    async def all_there_is() -> tuple[()]:
        return ()

    timing = Timing(outage_first=0.001, outage_cap=0.001)
    await Poller(consumer, group="g", timing=timing, current=lambda: assignment, feed=feed, which=all_there_is).run()

    assert [offset for partition, offset in fed if partition == 0] == [3, 4, 5, 6, 7, 8]
    assert [offset for partition, offset in fed if partition == 1] == [0, 1, 2, 3, 4]
