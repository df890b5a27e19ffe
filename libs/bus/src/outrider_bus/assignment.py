"""What one consumer holds between two rebalances: partitions, progress, whether it still counts."""

from collections.abc import Iterable

from aiokafka import TopicPartition

from outrider_bus.offsets import OffsetTracker
from outrider_bus.records import RawRecord


class Assignment:
    """Ends with `active = False`; whoever still works for it then must not commit anything any more."""

    def __init__(self, partitions: Iterable[TopicPartition]) -> None:
        self.partitions = frozenset(partitions)
        self.trackers = {partition: OffsetTracker() for partition in self.partitions}
        self.active = True
        self.paused = False
        self._committed: dict[TopicPartition, int] = {}

    def feed(self, record: RawRecord) -> None:
        """A record was read."""
        self.trackers[TopicPartition(record.topic, record.partition)].feed(record.offset)

    def done(self, record: RawRecord) -> None:
        """A record is worked off for good."""
        self.trackers[TopicPartition(record.topic, record.partition)].done(record.offset)

    def to_commit(self) -> dict[TopicPartition, int]:
        """Offsets that moved since the last commit."""
        offsets = {p: t.committable for p, t in self.trackers.items() if t.committable is not None}
        return {p: o for p, o in offsets.items() if self._committed.get(p) != o}

    def committed(self, offsets: dict[TopicPartition, int]) -> None:
        """Kafka has taken these."""
        self._committed.update(offsets)

    @property
    def in_flight(self) -> int:
        """Records handed out and not yet below a watermark."""
        return sum(tracker.in_flight for tracker in self.trackers.values())
