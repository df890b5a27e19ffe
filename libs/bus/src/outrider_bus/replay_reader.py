"""Reading stretches of a topic by assign and seek: no group, no commits, a bounded number of records in memory."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from outrider_bus import forgiving
from outrider_bus.kafka import KafkaAddress

_WAIT_MS = 200
_FETCH_BYTES = 8_388_608


class RangeReader:
    """Reads one topic under the service's own identity. Errors of Kafka pass; `seek` again after one."""

    def __init__(self, address: KafkaAddress, *, service: str, topic: str) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **address.client_options, client_id=f"{service}-replay", group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest", isolation_level="read_committed", fetch_max_bytes=_FETCH_BYTES,
        )  # fmt: skip
        self._ends: dict[TopicPartition, int] = {}
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
        """The first offset said at *when* or later; None where there is none."""
        asked = {TopicPartition(self._topic, number): int(when.timestamp() * 1000) for number in partitions}
        found = await self._consumer.offsets_for_times(asked)
        return {each.partition: there.offset if (there := found[each]) else None for each in asked}

    def seek(self, ranges: Mapping[int, tuple[int, int]]) -> None:
        """Read *ranges* (partition -> cursor, end) from now on."""
        self.cursors = {number: cursor for number, (cursor, _) in ranges.items()}
        self._ends = {TopicPartition(self._topic, n): end for n, (cursor, end) in ranges.items() if cursor < end}
        self._consumer.assign(list(self._ends))
        for partition in self._ends:
            self._consumer.seek(partition, self.cursors[partition.partition])

    @property
    def is_over(self) -> bool:
        """Whether every range is read to its end."""
        return not self._ends

    async def read(self, limit: int) -> list[Any]:
        """Up to *limit* records in order per partition; an empty answer is none yet, or the end."""
        try:
            found = await self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=limit)
        except UnicodeDecodeError:  # the failed poll may have moved over records it never gave
            for partition in self._ends:
                self._consumer.seek(partition, self.cursors[partition.partition])
            found = await self._read_odd_names(limit)
        records: list[Any] = []
        for partition, end in list(self._ends.items()):
            there = found.get(partition, [])
            records += there if not there or there[-1].offset < end else [each for each in there if each.offset < end]
            position = await self._consumer.position(partition)
            self.cursors[partition.partition] = min(position, end)
            if position >= end:
                self._consumer.pause(partition)
                del self._ends[partition]
        return records

    async def _read_odd_names(self, limit: int) -> dict[TopicPartition, list[Any]]:
        found: dict[TopicPartition, list[Any]] = {}
        for partition in self._ends:
            try:
                found |= await self._consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=limit)
            except UnicodeDecodeError:
                position = self.cursors[partition.partition]
                try:
                    found[partition], behind = await forgiving.read_batch(self._consumer, partition, position)
                except ValueError as error:
                    raise KafkaError(str(error)) from error
                self._consumer.seek(partition, behind)
        return found
