"""Stretches of a log, taken apart by aiokafka's parsers without its consumer."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from outrider_bus.reading.fetching import Fetched, Stretch
from outrider_bus.reading.forgiving import lenient
from outrider_bus.replay.reader import Slice

PARTITION = TopicPartition("t", 0)


def batch(first: int, count: int, headers: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """A batch as it lies in the log; the builder numbers from 0, the broker from where the log was."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1_000_000)
    for number in range(count):
        builder.append(number, 1_700_000_000_000, b"key", str(first + number).encode(), list(headers))
    built = bytearray(builder.build())
    built[:8] = first.to_bytes(8, "big")
    return bytes(built)


def stretch(fetched: Fetched, offset: int) -> Stretch:
    return Stretch(PARTITION, MemoryRecords(fetched.data), fetched.aborted, offset)


@pytest.mark.parametrize("offset", [13, 20, 22, 31])
def test_records_come_from_an_offset_in_any_batch(offset: int) -> None:
    """What was fetched is taken apart more than once: the batch of the offset need not be the first."""
    fetched = Fetched(batch(10, 5) + batch(20, 5) + batch(30, 5), None)
    all_there = [*range(10, 15), *range(20, 25), *range(30, 35)]

    for opened in (stretch(fetched, offset), lenient(PARTITION, fetched, offset)):
        assert [record.offset for record in opened] == [each for each in all_there if each >= offset]
        assert opened.next_fetch_offset == 35
    assert [record.offset for record in Slice(PARTITION, fetched, offset, 33, []).records()] == [
        each for each in all_there if offset <= each < 33
    ]


def test_records_come_from_the_offset_that_was_asked_for() -> None:
    """A batch comes whole, wherever in it that offset lies."""
    fetched = Fetched(batch(10, 5) + batch(20, 5), None)
    opened = stretch(fetched, 13)

    assert [record.offset for record in opened] == [13, 14, 20, 21, 22, 23, 24]
    assert opened.next_fetch_offset == 25


def test_what_lies_behind_is_known_before_anything_is_taken_apart() -> None:
    """Also where the last batch was cut off by the limit of bytes: that one has to be fetched again."""
    whole = batch(10, 5) + batch(20, 5)

    assert Fetched(whole, None).behind(10) == 25
    assert Fetched(whole[:-1], None).behind(10) == 15
    assert Fetched(b"", None).behind(10) == 10


def test_a_slice_gives_its_records_again_and_no_others() -> None:
    fetched = Fetched(batch(10, 5) + batch(20, 5), None)

    again = Slice(PARTITION, fetched, 12, 22, []).records()

    assert [(record.offset, record.key, record.value) for record in again] == [
        (offset, b"key", str(offset).encode()) for offset in (12, 13, 14, 20, 21)
    ]


def test_header_names_that_are_no_text_are_spelt_out() -> None:
    """aiokafka's own parser stops at them for ever."""
    odd = batch(0, 2, [("name", b"x")]).replace(b"name", b"\xff\xfeme")
    fetched = Fetched(_with_checksum(odd), None)

    with pytest.raises(UnicodeDecodeError):
        list(stretch(fetched, 0))
    assert [record.headers for record in Slice(PARTITION, fetched, 0, 2, []).records()] == [
        [("\\xff\\xfeme", b"x")]
    ] * 2


def _with_checksum(data: bytes) -> bytes:
    """The batch with a checksum that fits: over all behind it, from the attributes on."""
    checksum: int = calc_crc32c(data[21:])
    return data[:17] + checksum.to_bytes(4, "big") + data[21:]
