"""The poll loop: what the consumer gives goes to the runner at once; what it stumbles over is read again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError

from outrider_bus.reading import forgiving
from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import RawRecord, raw
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_MAX_RECORDS = 100
"""Few, for they are taken in one breath: handlers and heartbeats wait meanwhile."""
_WAIT_MS = 200


class ConsumerBroken(Exception):
    """The consumer has failed at every poll for a while; a new one has to be made."""


class Poller:
    """Polls one consumer. `feed` takes records of the assignment that `current` gives, in the same breath.

    `which` tells before each poll what to read; nothing: all there is.
    """

    def __init__(
        self,
        consumer: Any,
        *,
        group: str,
        timing: Timing,
        current: Callable[[], Assignment],
        feed: Callable[[Sequence[RawRecord]], None],
        which: Callable[[], Awaitable[Collection[TopicPartition]]],
    ) -> None:
        self._consumer = consumer
        self._group = group
        self._timing = timing
        self._current = current
        self._feed = feed
        self._which = which
        self.last = time.monotonic()

    async def run(self) -> None:
        """Poll until the consumer is stopped. Raises ConsumerBroken."""
        try:
            await self._run()
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            raise ConsumerBroken("a task of the consumer's own was cancelled") from error

    async def _run(self) -> None:
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        well = time.monotonic()
        trouble: Exception | None = None
        while True:
            self.last = time.monotonic()
            try:
                if trouble is not None:
                    await self._recover(trouble)
                    trouble = None
                which = await self._which()
                read = await self._consumer.getmany(*which, timeout_ms=_WAIT_MS, max_records=_MAX_RECORDS)
                self._take(read.items())
                await asyncio.sleep(0)  # the client gives what it has fetched without ever letting others run
                well = time.monotonic()
                waits = backoff(self._timing.outage_first, self._timing.outage_cap)
            except ConsumerStoppedError:
                return
            except Exception as error:  # whatever it was, the records must be read again
                _LOG.warning("reading failed", group=self._group, error=repr(error))
                if time.monotonic() - well > self._timing.broken:
                    raise ConsumerBroken(repr(error)) from error
                trouble = trouble or error
                await asyncio.sleep(next(waits))

    def _take(self, read: Iterable[tuple[TopicPartition, Sequence[Any]]]) -> None:
        assignment = self._current()
        records = [raw(partition, record) for partition, found in read for record in found]
        for record in records:
            assignment.feed(record)
        self._feed(records)

    async def _recover(self, error: Exception) -> None:
        """Put right what a failed poll left behind; nothing is polled before. Raises what stands against it."""
        assignment = self._current()
        await self._move_back(assignment)
        if isinstance(error, UnicodeDecodeError):
            await self._read_odd_names(assignment)

    async def _move_back(self, assignment: Assignment) -> None:
        """A failed poll may have moved positions over records it never gave us: move them back.

        Where partitions are dealt out anew meanwhile, reading starts from the commits and must be left alone.
        """
        for partition, tracker in assignment.trackers.items():
            committed = None if tracker.last_fed is not None else await self._consumer.committed(partition)
            if self._current() is not assignment:
                return
            if tracker.last_fed is not None:
                self._consumer.seek(partition, tracker.last_fed + 1)
            elif committed is not None:
                self._consumer.seek(partition, committed)
            else:
                await self._consumer.seek_to_beginning(partition)

    async def _read_odd_names(self, assignment: Assignment) -> None:
        """Find the partition whose next batch has header names that are no UTF-8, and read that batch leniently."""
        for partition in assignment.partitions:
            position = await self._consumer.position(partition)
            if (self._consumer.highwater(partition) or 0) <= position:
                continue
            try:
                read = await self._consumer.getmany(partition, timeout_ms=5 * _WAIT_MS, max_records=_MAX_RECORDS)
                behind = None
            except UnicodeDecodeError:
                found, behind = await forgiving.read_batch(self._consumer, partition, position)
                read = {partition: found}
            if self._current() is not assignment:
                return
            self._take(read.items())
            if behind is not None:
                self._consumer.seek(partition, behind)
