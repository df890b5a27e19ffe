"""What one consumer holds between two rebalances: partitions, progress, whether it still counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition

from outrider_bus.offsets import OffsetTracker
from outrider_bus.records import RawRecord


@dataclass(frozen=True)
class Lag:
    """How far a partition's log is ahead of what is worked off. `oldest` was said when the record was, that holds the
    watermark; None where all that was read is done."""

    records: int
    oldest: datetime | None


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
        self.trackers[record.topic, record.partition].feed(record.offset, record.timestamp)

    def done(self, record: RawRecord) -> None:
        """A record is worked off for good."""
        self.trackers[record.topic, record.partition].done(record.offset)

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

    @property
    def watermark_age(self) -> float:
        """For how many seconds the low watermark of some partition has not moved although there is work."""
        return max((tracker.watermark_age for tracker in self.trackers.values()), default=0.0)
