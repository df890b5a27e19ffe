"""Reading ranges of a topic: no group, no commits, a bounded number of bytes in memory."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.record.memory_records import MemoryRecords

from outrider_bus.kafka import KafkaAddress
from outrider_bus.reading import forgiving
from outrider_bus.reading.fetching import Fetched, Stretch, fetch

_WAIT_SECONDS = 0.2
_PATIENCE_MS = 100
_FETCH_BYTES = 2_097_152
"""Of each partition; as much again is on its way."""
T = TypeVar("T")


@dataclass(frozen=True)
class Slice(Generic[T]):
    """What was read at once of one partition, from offset *begin* to before *end*: what was taken of each record."""

    partition: TopicPartition
    fetched: Fetched
    begin: int
    end: int
    taken: list[T]

    def records(self) -> list[Any]:
        """The records themselves, as the parser gives them: taken apart once more."""
        try:
            return self._of(Stretch(self.partition, MemoryRecords(self.fetched.data), self.fetched.aborted, self.begin))
        except UnicodeDecodeError:
            return self._of(forgiving.lenient(self.partition, self.fetched, self.begin))

    def _of(self, stretch: Stretch) -> list[Any]:
        return list(takewhile(lambda record: record.offset < self.end, stretch))


class RangeReader:
    """Reads one topic under the service's own identity. Errors of Kafka pass; `seek` again after one."""

    def __init__(self, address: KafkaAddress, *, service: str, topic: str) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **address.client_options, client_id=f"{service}-replay", group_id=None, enable_auto_commit=False,
            isolation_level="read_committed",
        )  # fmt: skip
        self._ends: dict[TopicPartition, int] = {}
        self._fetches: dict[TopicPartition, asyncio.Task[Fetched]] = {}
        self._open: tuple[TopicPartition, Stretch, Fetched] | None = None
        self.cursors: dict[int, int] = {}
        """Where reading goes on, by partition."""

    async def __aenter__(self) -> "RangeReader":
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        await asyncio.sleep(0)  # a consumer that is stopped before its own tasks have begun breaks
        return self

    async def __aexit__(self, *_: object) -> None:
        left = list(self._fetches.values())
        self._forget()
        await asyncio.gather(*left, return_exceptions=True)
        await self._consumer.stop()

    async def partitions(self) -> list[int]:
        """The topic's partitions."""
        return sorted(await self._consumer._client._wait_on_metadata(self._topic))

    async def bounds(self, partitions: Collection[int]) -> dict[int, tuple[int, int]]:
        """The first offset that is kept and the one behind the last, by partition."""
        chosen = [TopicPartition(self._topic, number) for number in partitions]
        first, last = await self._consumer.beginning_offsets(chosen), await self._consumer.end_offsets(chosen)
        return {each.partition: (first[each], last[each]) for each in chosen}

    async def at(self, when: datetime, partitions: Collection[int]) -> dict[int, int | None]:
        """The first offset said at *when* or later; None where there is none. Kafka's time begins in 1970."""
        moment = max(0, int(when.timestamp() * 1000))
        asked = {TopicPartition(self._topic, number): moment for number in partitions}
        found = await self._consumer.offsets_for_times(asked)
        return {each.partition: there.offset if (there := found[each]) else None for each in asked}

    def seek(self, ranges: Mapping[int, tuple[int, int]]) -> None:
        """Read *ranges* (partition -> cursor, end) from now on."""
        self._forget()
        self.cursors = {number: cursor for number, (cursor, _) in ranges.items()}
        self._ends = {TopicPartition(self._topic, n): end for n, (cursor, end) in ranges.items() if cursor < end}
        for partition in self._ends:
            self._fetch(partition, self._cursor(partition))

    @property
    def is_over(self) -> bool:
        """Whether every range is read to its end."""
        return not self._ends

    async def read(self, limit: int, take: Callable[[Any], T]) -> Slice[T] | None:
        """The next records of some partition, at most *limit*; None is none yet, or the end.

        Of each only what *take* makes of it is kept: thousands of records at once would be slow for their number alone.
        """
        if not await self._have_some():
            return None
        assert self._open
        partition, stretch, fetched = self._open
        begin = self._cursor(partition)
        try:
            taken = self._take(stretch, limit, take, partition)
        except UnicodeDecodeError:
            stretch = forgiving.lenient(partition, fetched, begin)
            self._open = partition, stretch, fetched
            taken = self._take(stretch, limit, take, partition)
        self._move(partition, stretch.next_fetch_offset)
        if len(taken) < limit or partition not in self._ends:
            self._open = None
        return Slice(partition, fetched, begin, self._cursor(partition), taken)

    def _take(self, stretch: Stretch, limit: int, take: Callable[[Any], T], partition: TopicPartition) -> list[T]:
        end = self._ends[partition]
        return [take(record) for record in islice(stretch, limit) if record.offset < end]

    async def _have_some(self) -> bool:
        """Open a stretch that has come; what lies behind it is fetched meanwhile."""
        if self._open:
            return True
        if not self._fetches:
            return False
        tasks = self._fetches.values()
        come, _ = await asyncio.wait(tasks, timeout=_WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        partition = next((each for each, task in self._fetches.items() if task in come), None)
        if partition is None:
            return False
        task = self._fetches.pop(partition)
        try:
            fetched = task.result()
        except OffsetOutOfRangeError:  # expired meanwhile
            await self._skip_to_what_is_kept(partition)
            return False
        cursor = self._cursor(partition)
        self._open = partition, Stretch(partition, MemoryRecords(fetched.data), fetched.aborted, cursor), fetched
        if (behind := fetched.behind(cursor)) < self._ends[partition]:
            self._fetch(partition, behind)
        return True

    async def _skip_to_what_is_kept(self, partition: TopicPartition) -> None:
        bounds = await self.bounds([partition.partition])
        first, last = bounds[partition.partition]
        if self._cursor(partition) > last:
            raise OffsetOutOfRangeError(f"{partition} ends at {last} now")
        self._move(partition, max(first, self._cursor(partition)))
        if partition in self._ends:
            self._fetch(partition, self._cursor(partition))

    def _cursor(self, partition: TopicPartition) -> int:
        return self.cursors[partition.partition]

    def _move(self, partition: TopicPartition, cursor: int) -> None:
        end = self._ends[partition]
        self.cursors[partition.partition] = min(cursor, end)
        if cursor >= end:
            del self._ends[partition]

    def _fetch(self, partition: TopicPartition, offset: int) -> None:
        act = fetch(self._consumer._client, partition, offset, most=_FETCH_BYTES, wait_ms=_PATIENCE_MS)
        self._fetches[partition] = asyncio.create_task(act)

    def _forget(self) -> None:
        for task in self._fetches.values():
            task.cancel()
        self._fetches, self._open = {}, None
