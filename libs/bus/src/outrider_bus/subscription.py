"""One consumer group's reading: polls for ever, feeds a runner, pauses what is full, commits by hand.

FastStream owns connection, security, subscription and lifecycle. The poll loop is ours, on the consumer that FastStream
made, because its own loop parses headers before any handler runs, swallows what fails there and polls on: a record
would be passed over without a trace. Here a record is either fed to the runner or read again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from outrider_bus.assignment import Assignment
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_MAX_RECORDS = 500
_LAST_INSTANT = 253_402_300_799_000
"""End of the year 9999 in ms: a timestamp is whatever its writer says."""


class Runner(Protocol):
    """Works off what a subscription reads."""

    def assigned(self, assignment: Assignment) -> None:
        """From now on records belong to *assignment*; nothing of an earlier one is left."""

    def feed(self, records: Sequence[RawRecord]) -> None:
        """Take records of the current assignment, in partition order. Returns at once."""

    async def drain(self) -> None:
        """Bring work in hand to its end and drop what has not begun."""

    @property
    def load(self) -> float:
        """How much is waiting: at 1 reading rests, at a half it goes on."""


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Reads *topics* (or what matches *pattern*) as *group* and feeds *runner*."""

    def __init__(
        self,
        *,
        group: str,
        topics: Sequence[str],
        pattern: str,
        make_runner: Callable[[Callable[[], None]], Runner],
        timing: Timing,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self.pattern = pattern
        self.assignment = Assignment(())
        self._runner = make_runner(self.progress)
        self._timing = timing
        self._subscriber: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self._assigned = False
        self._polled = time.monotonic()
        self._moved = asyncio.Event()

    def declare(self, shell: KafkaBroker) -> None:
        """Subscribe in the FastStream shell; it connects when the shell starts."""
        self._subscriber = shell.subscriber(
            *self.topics,
            pattern=self.pattern or None,
            group_id=self.group,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=int(self._timing.session * 1000),
            heartbeat_interval_ms=int(self._timing.heartbeat * 1000),
            rebalance_timeout_ms=int((self._timing.drain + 10) * 1000),
            max_partition_fetch_bytes=1_048_576,
            fetch_max_wait_ms=500,
            listener=self,
        )

    async def open(self) -> None:
        """Join the group; returns once partitions are assigned. The shell is connected."""
        await self._subscriber.start()

    def run(self) -> None:
        """Begin to poll and to commit."""
        self._tasks = [asyncio.create_task(self._poll()), asyncio.create_task(self._commit_now_and_then())]

    async def stop(self) -> None:
        """Read no more, end work in hand, commit it. The shell leaves the group afterwards."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end_assignment()

    @property
    def is_assigned(self) -> bool:
        """Whether the group has told us our share, be it empty."""
        return self._assigned

    @property
    def seconds_since_poll(self) -> float:
        """How long ago the last poll began."""
        return time.monotonic() - self._polled

    # rebalancing: aiokafka awaits these while heartbeats go on; between them it hands out no records

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - eager: all of them
        """Drain and commit, so that the next owner starts behind our last effect."""
        self._assigned = False
        await self._end_assignment()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start over with empty books; positions are the committed ones."""
        self.assignment = Assignment(assigned)
        self._runner.assigned(self.assignment)
        self._assigned = True
        _LOG.info("partitions assigned", group=self.group, count=len(assigned))

    async def _end_assignment(self) -> None:
        ended = self.assignment
        await self._runner.drain()
        await self._commit(ended)
        ended.active = False

    async def _poll(self) -> None:
        consumer = self._subscriber.consumer
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            self._polled = time.monotonic()
            try:
                read = await consumer.getmany(timeout_ms=200, max_records=_MAX_RECORDS)
            except ConsumerStoppedError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it was, the records must be read again, never passed over
                _LOG.warning("reading failed", group=self.group, error=repr(error))
                await asyncio.sleep(next(waits))
                await self._read_again(consumer)
                continue
            waits = backoff(self._timing.outage_first, self._timing.outage_cap)
            if read:
                records = [_raw(record) for records in read.values() for record in records]
                for record in records:
                    self.assignment.feed(record)
                self._runner.feed(records)
            self._pause_or_resume(consumer)

    async def _read_again(self, consumer: Any) -> None:
        """A failed poll may have moved positions over records it never gave us: move them back."""
        try:
            for partition, tracker in self.assignment.trackers.items():
                committed = await consumer.committed(partition) if tracker.last_fed is None else None
                if tracker.last_fed is not None:
                    consumer.seek(partition, tracker.last_fed + 1)
                elif committed is not None:
                    consumer.seek(partition, committed)
                else:
                    await consumer.seek_to_beginning(partition)
        except (KafkaError, ValueError) as error:  # revoked meanwhile: the next assignment starts from the commits
            _LOG.info("positions were not moved back", group=self.group, error=repr(error))

    def _pause_or_resume(self, consumer: Any) -> None:
        assignment = self.assignment
        wanted = self._runner.load >= (0.5 if assignment.paused else 1)
        if not assignment.active or assignment.paused == wanted:
            return
        assignment.paused = wanted
        act = consumer.pause if wanted else consumer.resume
        act(*(assignment.partitions & consumer.assignment()))

    def progress(self) -> None:
        """Said by the runner when records are done: commit soon, read on if reading rests."""
        self._moved.set()
        if self.assignment.paused and self._subscriber.consumer is not None:
            self._pause_or_resume(self._subscriber.consumer)

    async def _commit_now_and_then(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._commit(self.assignment)
            await asyncio.sleep(self._timing.commit_interval)

    async def _commit(self, assignment: Assignment) -> None:
        offsets = assignment.to_commit()
        if not offsets or not assignment.active:
            return
        try:
            await self._subscriber.consumer.commit(offsets)
        except (KafkaError, ValueError) as error:  # taken away meanwhile, or Kafka is away: a redelivery finds it done
            _LOG.info("offsets not committed", group=self.group, error=repr(error))
            self._moved.set()
        else:
            assignment.committed(offsets)


def _raw(record: Any) -> RawRecord:
    at = datetime.fromtimestamp(min(max(record.timestamp, 0), _LAST_INSTANT) / 1000, UTC)
    return RawRecord(record.topic, record.partition, record.offset, at, record.key, record.value, tuple(record.headers))
