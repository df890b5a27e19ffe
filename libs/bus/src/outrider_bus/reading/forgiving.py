"""Reads records whose header names are no UTF-8. Kafka takes them from anybody; the client can't get past them.

aiokafka raises before it hands out anything of such a batch, for ever. So this one stretch is fetched again and read by
aiokafka's own parser in Python over bytes that decode leniently: odd names come out with `\\x..` escapes. Markers and
what transactions took back are left out as always.
"""

from typing import Any, SupportsIndex, overload

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from outrider_bus.reading.fetching import Fetched, Stretch, fetch

_MAX_BYTES = 1_048_576


class _LenientBytes(bytearray):
    """Bytes that decode whatever they hold."""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> bytearray: ...
    def __getitem__(self, index: Any, /) -> Any:
        part = super().__getitem__(index)
        return _LenientBytes(part) if isinstance(index, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - strict is what fails
        return super().decode(encoding, "backslashreplace")


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka is untyped
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _LenientBytes(self._buffer)


class _LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    def next_batch(self) -> _LenientBatch | None:
        found = self._next_slice
        if found is None:
            return None
        self._cache_next()
        return _LenientBatch(found)


def lenient(partition: TopicPartition, fetched: Fetched, offset: int) -> Stretch:
    """The records of a stretch, whatever their headers are called."""
    return Stretch(partition, _LenientRecords(fetched.data), fetched.aborted, offset)


async def read_batch(consumer: Any, partition: TopicPartition, offset: int) -> tuple[list[Any], int]:
    """The records of the next stretch from *offset* on, and the offset behind it.

    Raises KafkaError where the stretch can't be had now; the caller tries again.
    """
    fetched = await fetch(consumer._client, partition, offset, most=_MAX_BYTES, wait_ms=500)
    stretch = lenient(partition, fetched, offset)
    records = list(stretch)
    if stretch.next_fetch_offset == offset:
        raise KafkaError(f"{partition} can't be read at {offset}: nothing came")
    return records, stretch.next_fetch_offset
