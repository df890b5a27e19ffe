"""Reading a range of a log that is no longer there."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from outrider_bus.kafka import KafkaAddress
from outrider_bus.reading.fetching import Fetched
from outrider_bus.replay.reader import RangeReader


class MadeAnew(RangeReader):
    """A topic that had a hundred records and has three, since it was deleted and made anew."""

    async def bounds(self, partitions: Collection[int]) -> dict[int, tuple[int, int]]:
        await asyncio.sleep(0)
        return dict.fromkeys(partitions, (0, 3))

    def _fetch(self, partition: TopicPartition, offset: int) -> None:
        async def beyond_the_end() -> Fetched:
            raise OffsetOutOfRangeError

        self._fetches[partition] = asyncio.create_task(beyond_the_end())


async def test_a_range_beyond_the_end_of_its_log_is_told_and_not_asked_for_for_ever() -> None:
    """A replay then looks at the log anew, and ends; it would run for ever, and so would the ones that wait for it."""
    reader: Any = MadeAnew(KafkaAddress("nowhere:1"), service="s", topic="t")
    reader.seek({0: (10, 100)})

    async def read_on() -> None:
        while True:
            await reader.read(10, lambda record: record)

    with pytest.raises(KafkaError, match="ends at 3"):
        await asyncio.wait_for(read_on(), 5)

    await reader._consumer.stop()
