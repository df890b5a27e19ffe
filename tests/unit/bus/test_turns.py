"""Fairness, counted: who waits how long behind a flood, and how much of it is read ahead."""

from datetime import UTC, datetime
from itertools import pairwise

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from outrider_bus.handling.turns import Turns
from outrider_bus.reading.assignment import WINDOW, Assignment
from outrider_bus.records import RawRecord

AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_flood_delays_another_owner_by_one_item() -> None:
    turns: Turns[str] = Turns()
    for n in range(1000):
        turns.put("flood", f"f{n}")
    turns.pop()

    turns.put("other", "o")

    assert [turns.pop(), turns.pop()] == ["f1", "o"]


@given(st.lists(st.integers(0, 4), max_size=60))
def test_everyone_waiting_has_had_a_turn_before_anyone_has_two_and_order_holds_within(owners: list[int]) -> None:
    turns: Turns[tuple[int, int]] = Turns()
    for place, owner in enumerate(owners):
        turns.put(owner, (owner, place))

    taken = turns.take(1000)

    assert not turns
    assert sorted(taken) == sorted((owner, place) for place, owner in enumerate(owners))
    for owner in set(owners):
        mine = [at for at, (who, _) in enumerate(taken) if who == owner]
        assert [taken[at] for at in mine] == sorted(taken[at] for at in mine)
        for first, second in pairwise(mine):
            between = [who for who, _ in taken[first + 1 : second]]
            assert len(set(between)) == len(between)


def test_only_the_partition_that_holds_its_share_rests_until_a_quarter_of_it_is_done() -> None:
    full, other = partitions = [TopicPartition("t", n) for n in range(2)]
    assignment = Assignment(partitions)
    records = [RawRecord("t", 0, n, AT, None, b"x" * 1_000_000) for n in range(WINDOW // 2_000_000 + 1)]
    assignment.feed(RawRecord("t", 1, 0, AT, None, b"x"))
    for record in records[:-2]:
        assignment.feed(record)
    assert assignment.with_room() == {full, other}

    for record in records[-2:]:
        assignment.feed(record)
    assert assignment.with_room() == {other}
    rested = 0
    while full not in assignment.with_room():
        assignment.done(records[rested])
        rested += 1

    assert 0.2 < rested / len(records) < 0.3
