"""What tells whether a group gets on: the age of its low watermark, how far its log is ahead, the spread of times."""

from datetime import UTC, datetime

from aiokafka import TopicPartition
from outrider_bus.counters import Spread
from outrider_bus.reading.assignment import Assignment
from outrider_bus.reading.offsets import OffsetTracker
from outrider_bus.records import RawRecord

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    """Tells the time that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_watermark_ages_while_its_record_is_in_hand_whatever_else_is_done() -> None:
    clock = Clock()
    tracker = OffsetTracker(clock)
    assert tracker.watermark_age == 0

    for offset in (3, 5, 8):
        tracker.feed(offset, AT)
        clock.now += 1
    tracker.done(5)
    aged = tracker.watermark_age
    tracker.done(3)
    moved = tracker.watermark_age
    clock.now += 7
    late = tracker.watermark_age
    tracker.done(8)

    assert (aged, moved, late, tracker.watermark_age) == (3, 0, 7, 0)
    assert tracker.first_open is None


def test_the_age_counts_from_the_record_that_ends_a_pause() -> None:
    clock = Clock()
    tracker = OffsetTracker(clock)
    tracker.feed(1, AT)
    tracker.done(1)
    clock.now += 1000

    tracker.feed(2, AT)

    assert tracker.watermark_age == 0


def test_the_partition_that_stands_still_counts() -> None:
    assignment = Assignment([TopicPartition("t", n) for n in range(3)])
    assert assignment.watermark_age == 0

    assignment.feed(RawRecord("t", 1, 7, AT, None, None))

    assert assignment.watermark_age > 0


def test_a_spread_counts_up_to_and_with_each_bound() -> None:
    spread = Spread((1.0, 10.0))

    for value in (0.5, 1, 1.1, 10, 11):
        spread.add(value)

    assert (spread.counts, spread.total) == ([2, 2, 1], 23.6)
