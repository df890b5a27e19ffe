"""One consumer group's reading: polls for ever, feeds a runner, pauses what is full, commits by hand.

FastStream owns connection, security, subscription and lifecycle. The poll loop is ours, on the consumer that FastStream
made, because its own loop parses headers before any handler runs, swallows what fails there and polls on: a record
would be passed over without a trace. Here a record is either fed to the runner or read again.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from outrider_bus.counters import Counters
from outrider_bus.reading.assignment import Assignment, Lag
from outrider_bus.reading.polling import ConsumerBroken, Poller
from outrider_bus.reading.retention import removed_unread
from outrider_bus.reading.runner import Runner
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_ROOM_SECONDS = 1.0


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
        counters: Counters,
    ) -> None:
        self.group = group
        self.topics = tuple(topics)
        self.pattern = pattern
        self.assignment = Assignment(())
        self._runner = make_runner(self.progress)
        self._timing = timing
        self._counters = counters
        self._subscriber: Any = None
        self._tasks: list[asyncio.Task[None]] = []
        self.is_assigned = False
        """Whether the group has told us our share, be it empty."""
        self._poller: Poller | None = None
        self._told_removed: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._freed = asyncio.Event()

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
            fetch_max_wait_ms=100,  # a partition that is resumed waits for the fetch of the others to come back
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
    def seconds_since_poll(self) -> float:
        """How long ago the last poll began."""
        return time.monotonic() - self._poller.last if self._poller else 0.0

    @property
    def is_moving(self) -> bool:
        """Whether no low watermark stands still over work in hand: an outage holds it, a parked lane never."""
        return self.assignment.watermark_age < self._timing.stalled

    def lag(self) -> dict[TopicPartition, Lag]:
        """By partition, as far as Kafka has told us the end of its log."""
        assignment, consumer = self.assignment, self._subscriber and self._subscriber.consumer
        if consumer is None or not assignment.active:
            return {}
        return {p: self._lag(consumer, p) for p in assignment.partitions & consumer.assignment()}

    def _lag(self, consumer: Any, partition: TopicPartition) -> Lag:
        held = self.assignment.trackers[partition].first_open
        end = consumer.highwater(partition) or 0
        if held:
            return Lag(max(0, end - held[0]), held[1])
        read = consumer._subscription.subscription.assignment.state_value(partition)  # `position` can only be awaited
        return Lag(max(0, end - read.position) if read.has_valid_position else 0, None)

    # rebalancing: aiokafka awaits these while heartbeats go on; between them it hands out no records

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - eager: all of them
        """Drain and commit, so that the next owner starts behind our last effect."""
        self.is_assigned = False
        await self._end_assignment()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start over with empty books; positions are the committed ones. Nothing is awaited: the client gives records
        of the new share meanwhile."""
        self._counters.rebalances += 1
        self._told_removed = asyncio.create_task(self._tell_removed(assigned))
        self.assignment = Assignment(assigned)
        self._runner.assigned(self.assignment)
        self._freed.set()
        self.is_assigned = True
        _LOG.info("partitions assigned", group=self.group, count=len(assigned))

    async def _tell_removed(self, assigned: set[TopicPartition]) -> None:
        with suppress(KafkaError, ConsumerStoppedError, TimeoutError):  # reading needs Kafka, too, and waits for it
            async with asyncio.timeout(self._timing.drain):
                for partition, count in (await removed_unread(self._subscriber.consumer, assigned)).items():
                    self._counters.removed(f"{partition.topic}/{partition.partition}", count)

    async def _end_assignment(self) -> None:
        ended = self.assignment
        await self._runner.drain()
        with suppress(TimeoutError):  # the client would wait for a Kafka that is away; a redelivery finds all done
            async with asyncio.timeout(self._timing.drain):
                await self._commit(ended)
        ended.active = False

    async def _poll(self) -> None:
        while True:
            self._poller = Poller(
                self._subscriber.consumer,
                group=self.group,
                timing=self._timing,
                current=lambda: self.assignment,
                feed=self._runner.feed,
                which=self._to_be_read,
            )
            try:
                await self._poller.run()
                return
            except ConsumerBroken as error:
                _LOG.error("the consumer is broken and made anew", group=self.group, error=str(error))
            await self._reopen()

    async def _reopen(self) -> None:
        self.is_assigned = False
        await self._end_assignment()
        for wait in backoff(self._timing.outage_first, self._timing.outage_cap):
            await self._close(self._subscriber.consumer)
            try:
                await self._subscriber.start()
                return
            except (KafkaError, OSError) as error:
                _LOG.warning("Kafka can't be reached", group=self.group, error=repr(error))
            await asyncio.sleep(wait)

    async def _close(self, consumer: Any) -> None:
        """A broken consumer breaks when it is stopped, too, and leaves the rest of itself running. One that never
        reached Kafka has no fetcher."""
        closes = [part.close for part in (consumer._fetcher, consumer._client) if part]
        for close in (self._subscriber.stop, *closes):
            with suppress(Exception):
                await close()

    def _positions(self) -> dict[TopicPartition, int]:
        """Where reading stands: behind everything that was handed out."""
        held = self._subscriber.consumer._subscription.subscription.assignment
        states = {p: held.state_value(p) for p in self.assignment.partitions} if held and held.active else {}
        return {p: state.position for p, state in states.items() if state and state.has_valid_position}

    async def _to_be_read(self) -> Collection[TopicPartition]:
        """Before each poll: the partitions that have room; nothing where all have.

        One that is left out keeps what the client has fetched of it; a pause would throw that away. So they are paused
        only once none had room for a moment, for polling must go on.
        """
        if self.assignment.reached(self._positions()):
            self._moved.set()
        until = time.monotonic() + _ROOM_SECONDS
        while not (ready := self.assignment.with_room()) and not self.assignment.paused:
            if not self.assignment.partitions or (left := until - time.monotonic()) <= 0:
                break
            self._freed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), left)
        self._pause(not ready and bool(self.assignment.partitions))
        return ready & self._subscriber.consumer.assignment() if ready != self.assignment.partitions else ()

    def _pause(self, wanted: bool) -> None:
        assignment, consumer = self.assignment, self._subscriber.consumer
        if assignment.active and assignment.paused != wanted:
            assignment.paused = wanted
            act = consumer.pause if wanted else consumer.resume
            act(*(assignment.partitions & consumer.assignment()))

    def progress(self) -> None:
        """Said by the runner when records are done: commit soon, read on if there was no room."""
        self._moved.set()
        self._freed.set()

    async def _commit_now_and_then(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._commit(self.assignment)
            await asyncio.sleep(self._timing.commit_interval)

    async def _commit(self, assignment: Assignment) -> None:
        if self._told_removed:
            await asyncio.wait([self._told_removed])  # it asks what was committed before
        offsets, consumer = assignment.to_commit(), self._subscriber.consumer
        if not offsets or not assignment.active or consumer is None:
            return
        try:
            async with asyncio.timeout(self._timing.drain):  # that of a consumer that is closed meanwhile never ends
                await consumer.commit(offsets)
        except (KafkaError, ValueError, TimeoutError) as error:
            # taken away meanwhile, or Kafka is away: a redelivery finds it done
            _LOG.info("offsets not committed", group=self.group, error=repr(error))
            self._moved.set()
        else:
            assignment.committed(offsets)
