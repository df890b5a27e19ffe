"""A service's own dead letters, read from their topic as they lie there."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from outrider_bus.deadletters import Letter, open_letter
from outrider_bus.handling.again import Outcome
from outrider_bus.kafka import LARGEST_BATCH, KafkaAddress
from outrider_bus.ports import UnavailableError
from outrider_bus.records import RawRecord, raw

Place = tuple[int, int]
"""Partition and offset of a letter in its service's topic."""
_READ_MS = 5000


class LetterReader:
    """Reads single letters of *topic*; joins no group."""

    def __init__(self, kafka: KafkaAddress, *, topic: str, groups: Collection[str]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._groups = groups

    async def read(self, places: Sequence[Place]) -> dict[Place, Letter | Outcome]:
        """Each letter; an outcome where there is none, or none of a group that is heard still.

        Raises UnavailableError where Kafka does not answer.
        """
        try:
            found = await self._records(places)
        except (KafkaError, OSError) as error:
            raise UnavailableError(f"the dead letters can't be read from Kafka now: {error!r}") from error
        return {place: self._open(record) for place, record in found.items()}

    def _open(self, record: RawRecord | None) -> Letter | Outcome:
        if record is None:
            return Outcome("refused", "there is no such dead letter (any more)")
        try:
            letter = open_letter(record)
        except ValueError as error:
            return Outcome("refused", str(error))
        if letter.group not in self._groups:
            return Outcome("refused", f"this service has no group {letter.group} any more")
        return letter

    async def _records(self, places: Sequence[Place]) -> dict[Place, RawRecord | None]:
        found: dict[Place, RawRecord | None] = dict.fromkeys(places)
        async with self._consumer() as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            for number, offset in sorted(places):
                partition = TopicPartition(self._topic, number)
                if not 0 <= offset < ends.get(partition, 0):
                    continue
                consumer.seek(partition, offset)
                read = await consumer.getmany(partition, timeout_ms=_READ_MS, max_records=1)
                there = [raw(partition, record) for record in read.get(partition, ()) if record.offset == offset]
                found[number, offset] = next(iter(there), None)
        return found

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Any]:
        options = {"enable_auto_commit": False, "isolation_level": "read_committed", "auto_offset_reset": "earliest"}
        consumer = AIOKafkaConsumer(
            self._topic, **self._kafka.client_options, **options, max_partition_fetch_bytes=LARGEST_BATCH
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()
