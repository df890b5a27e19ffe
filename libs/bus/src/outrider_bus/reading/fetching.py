"""Fetching a stretch of a partition's log past aiokafka's consumer, and taking it apart with aiokafka's own parsers.

What the consumer does besides takes as long as the reading itself: nothing of it is needed where offsets are known.
"""

from itertools import dropwhile
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

READ_COMMITTED = 1


class Fetched(NamedTuple):
    """A stretch as it came: record batches, and which transactions in it were taken back."""

    data: bytes
    aborted: list[tuple[int, int]] | None

    def behind(self, offset: int) -> int:
        """The offset behind all of it, told without taking batches apart; *offset* where nothing came."""
        records = MemoryRecords(self.data)
        while records.has_next():
            offset = records.next_batch().next_offset
        return offset


class Stretch(PartitionRecords):  # type: ignore[misc]  # aiokafka is untyped
    """Gives records from *offset* on as the parser makes them (offset, timestamp, key, value, headers), without markers
    and what transactions took back; `next_fetch_offset` is behind what was given."""

    def __init__(self, partition: TopicPartition, records: Any, aborted: Any, offset: int) -> None:
        super().__init__(partition, records, aborted, offset, None, None, True, READ_COMMITTED)
        # the parser skips within the first batch only: it takes for granted that this is the one *offset* lies in
        self._records_iterator = dropwhile(lambda record: record.offset < offset, self._unpack_records())

    def _consumer_record(self, _partition: TopicPartition, record: Any) -> Any:
        return record


async def fetch(client: Any, partition: TopicPartition, offset: int, *, most: int, wait_ms: int) -> Fetched:
    """About *most* bytes from *offset* on, at least one batch of what is there within *wait_ms*. Raises KafkaError."""
    leader = client.cluster.leader_for_partition(partition)
    if leader is None or leader < 0:
        client.force_metadata_update()
        raise LeaderNotAvailableError(f"{partition} has no leader now")
    stretch = (partition.topic, [(partition.partition, offset, most)])
    response = await client.send(leader, FetchRequest(wait_ms, 1, most, READ_COMMITTED, [stretch], rack_id=""))
    ((_, ((_, error_code, _, _, _, aborted, *_, data),)),) = response.topics
    if error_code:
        client.force_metadata_update()
        raise for_code(error_code)(f"{partition} can't be read at {offset}")
    return Fetched(data, aborted)
