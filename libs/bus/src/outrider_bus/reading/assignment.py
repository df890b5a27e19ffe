"""What one consumer holds between two rebalances: partitions, progress, whether it still counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiokafka import TopicPartition

from outrider_bus.reading.offsets import OffsetTracker
from outrider_bus.records import RawRecord

WINDOW = 64 * 1_048_576
"""Bytes of records read ahead, over all partitions, which have equal shares: what a flood may hold of our memory, and
how far behind it in the log another team's fact is still seen. A poll may go beyond it once per partition."""
_LEAST_SHARE = 1_048_576
_OBJECTS = 2_048
"""Bytes that a decoded record takes beside its own; a rough measure."""


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
        self._resting: set[TopicPartition] = set()
        self._window = max(_LEAST_SHARE, WINDOW // max(1, len(self.partitions)))
        self._committed: dict[TopicPartition, int] = {}

    def feed(self, record: RawRecord) -> None:
        """A record was read."""
        tracker = self.trackers[record.topic, record.partition]
        tracker.feed(record.offset, record.timestamp, _OBJECTS + record.size)

    def done(self, record: RawRecord) -> None:
        """A record is worked off for good."""
        self.trackers[record.topic, record.partition].done(record.offset)

    def with_room(self) -> frozenset[TopicPartition]:
        """Partitions to read: all but those that hold their share; these rest until they are down to ¾ of it."""
        limit, again, before = self._window, self._window * 3 // 4, self._resting
        self._resting = {p for p, t in self.trackers.items() if t.held >= (again if p in before else limit)}
        return self.partitions - self._resting if self._resting else self.partitions

    def reached(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Reading stands at *positions*; True where that moves a watermark."""
        moved = [self.trackers[p].reached(at) for p, at in positions.items() if p in self.trackers]
        return any(moved)

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
