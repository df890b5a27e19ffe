"""The pure parts of the bus: offsets, spelling of headers, back-off, dead letters."""

import json
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outrider_bus.deadletters import Why, dead_letter
from outrider_bus.reading.offsets import OffsetTracker
from outrider_bus.records import RawRecord, pack_headers, read, unpack_headers
from outrider_bus.timing import Timing, backoff
from outrider_contracts.envelope import Envelope, UndecodableError
from outrider_contracts.event import Event

AT = datetime(2026, 11, 1, tzinfo=UTC)


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=60), st.randoms(use_true_random=False), st.data())
def test_only_what_lies_below_all_open_records_may_be_committed(
    offsets: set[int], random: object, data: st.DataObject
) -> None:
    """Whatever the gaps of the log and the order in which records end."""
    tracker = OffsetTracker()
    fed = sorted(offsets)
    for offset in fed:
        tracker.feed(offset, AT)
    done: set[int] = set()

    for offset in data.draw(st.permutations(fed)):
        tracker.done(offset)
        done.add(offset)
        still_open = [o for o in fed if o not in done]
        below = [o for o in fed if not still_open or o < still_open[0]]

        assert tracker.committable == (below[-1] + 1 if below else None)
        assert tracker.in_flight == len(fed) - len(below)


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=20), st.none() | st.binary(max_size=40))))
def test_headers_survive_the_database_byte_for_byte(headers: list[tuple[str, bytes | None]]) -> None:
    packed = pack_headers(tuple(headers))

    assert not [text for pair in json.loads(packed) for text in pair if isinstance(text, str) and "\0" in text]
    assert unpack_headers(packed) == tuple(headers)


def test_the_tries_of_a_parked_record_take_two_minutes() -> None:
    delays = Timing().retry_delays

    assert len(delays) + 1 == 5
    assert sum(delays) == 120


def test_waits_grow_to_their_cap_and_are_out_of_step() -> None:
    waits = list(islice(backoff(0.1, 10), 12))

    assert all(low <= wait <= high for wait, low, high in zip(waits, (0.05, 0.1), (0.1, 0.2), strict=False))
    assert all(5 <= wait <= 10 for wait in waits[8:])
    assert len(set(waits)) == len(waits)


def test_a_long_reason_is_cut_and_the_record_is_not() -> None:
    record = RawRecord("t", 1, 2, AT, b"\xff", b"\0" * 10, (("a", None), ("a", b"\xff")))

    row = dead_letter(record, Why("handle", "x" * 5000, 5), topic="outrider.dlq.g", group="g")

    assert (row.key, row.value, row.headers[:2]) == (record.key, record.value, record.headers)
    assert len(dict(row.headers)["dlq-reason"] or b"") == 1000
    assert dict(row.headers)["dlq-origin-offset"] == b"2"


def test_a_decoder_that_stumbles_makes_a_dead_letter_and_not_a_crash() -> None:
    def stumble(_: RawRecord) -> tuple[Envelope, Event] | None:
        raise KeyError("surprise")

    with pytest.raises(UndecodableError, match="surprise"):
        read(RawRecord("t", 0, 0, AT, None, None), stumble)


def test_the_watermark_follows_reading_over_what_is_no_record() -> None:
    """Markers of transactions and what was compacted away are never handed out; a log that ends with them is done."""
    tracker = OffsetTracker()
    tracker.feed(4, AT)

    assert not tracker.reached(9)
    tracker.done(4)
    assert tracker.committable == 5
    assert tracker.reached(9)
    assert tracker.committable == 9
    assert not tracker.reached(7)


def test_a_reason_is_kept_as_logs_and_databases_can_take_it() -> None:
    """It may quote anything, of any length."""
    reason = Why("handle", "\ud800 a\0b " + "x" * 1_000_000).reason

    assert reason.encode()
    assert "\0" not in reason
    assert len(reason) < 1100
