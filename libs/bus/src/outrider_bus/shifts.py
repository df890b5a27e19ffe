"""Running lanes: one worker per busy lane, a bound on all of them, and the parking of a lane that is sick.

A shift lasts from one assignment of partitions to the next; nothing is carried over but what PostgreSQL holds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from outrider_bus import parking
from outrider_bus.assignment import Assignment
from outrider_bus.deadletters import Why
from outrider_bus.lanes import Job, KeyLanes
from outrider_bus.patience import Ended, Patience
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing

_LOG = structlog.get_logger()


@dataclass
class _Queue:
    """What one lane still has to do, and its bell."""

    jobs: deque[Job] = field(default_factory=deque)
    bell: asyncio.Event = field(default_factory=asyncio.Event)


class LaneRunner:
    """Hands each record to its lane; at most *concurrency* handlers run at once."""

    def __init__(self, work: KeyLanes, *, concurrency: int, timing: Timing, progress: Callable[[], None]) -> None:
        def make(assignment: Assignment) -> Shift:
            return Shift(work, assignment, concurrency, timing, progress)

        self._make = make
        self._shift = self._make(Assignment(()))
        self._limit = max(1000, 8 * concurrency)

    def assigned(self, assignment: Assignment) -> None:
        self._shift = self._make(assignment)
        self._shift.begin()

    def feed(self, records: Sequence[RawRecord]) -> None:
        self._shift.feed(records)

    async def drain(self) -> None:
        await self._shift.end()

    @property
    def load(self) -> float:
        return self._shift.assignment.in_flight / self._limit


class Shift:
    """The lanes of one assignment."""

    def __init__(
        self, work: KeyLanes, assignment: Assignment, concurrency: int, timing: Timing, progress: Callable[[], None]
    ) -> None:
        self.assignment = assignment
        self._work = work
        self._timing = timing
        self._progress = progress
        self._patience = Patience(work.counters, timing, concurrency=concurrency)
        self._queues: dict[str, _Queue] = {}
        self._parked: set[str] = set()
        self._parked_known = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Learn which lanes are parked; no lane starts before, for nothing may overtake a parked record."""
        self._start(self._find_parked())

    def feed(self, records: Sequence[RawRecord]) -> None:
        """Sort records into their lanes."""
        for record in records:
            job = self._work.sort(record)
            if job is None:
                self.assignment.done(record)
                self._progress()
            else:
                queue = self._open(job.lane)
                queue.jobs.append(job)
                queue.bell.set()

    async def end(self) -> None:
        """Let running handlers end; where that takes too long the ended assignment refuses their transactions."""
        self._patience.over.set()
        self._parked_known.set()
        for queue in self._queues.values():
            queue.bell.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timing.drain)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Ended:
            pass
        except Exception as error:  # noqa: BLE001 - a bug of the bus itself: health tells it, nothing is committed
            self._work.counters.broken = repr(error)
            _LOG.exception("a lane's worker broke; the service should be restarted", group=self._work.group)

    def _open(self, lane: str) -> _Queue:
        if lane not in self._queues:
            self._queues[lane] = _Queue()
            self._start(self._run(lane, self._queues[lane]))
        return self._queues[lane]

    async def _find_parked(self) -> None:
        self._parked = await self._patience.surely(self._read_parked)
        self._work.counters.parked_lanes = len(self._parked)
        for lane in self._parked:
            self._open(lane)
        self._parked_known.set()
        while True:  # an operator may have hurried a lane, or relieved it of its first record
            await self._patience.rest(self._timing.relay_poll)
            for lane in self._parked - await self._patience.surely(self._read_waiting) if self._parked else ():
                self._open(lane).bell.set()

    async def _read_waiting(self) -> set[str]:
        async with self._work.database.begin() as tx:
            return await parking.waiting(tx.connection, self._work.group)

    async def _read_parked(self) -> set[str]:
        async with self._work.database.begin() as tx:
            return await parking.lanes(tx.connection, self._work.group, self.assignment.partitions)

    async def _run(self, lane: str, queue: _Queue) -> None:
        await self._parked_known.wait()
        while not self._patience.over.is_set():
            if lane in self._parked:
                await self._tend(lane, queue)
            elif queue.jobs:
                await self._take(lane, queue)
            else:
                del self._queues[lane]
                return

    async def _take(self, lane: str, queue: _Queue) -> None:
        """Handle the lane's next record; where that fails the lane parks."""
        job = queue.jobs[0]
        if failure := await self._patience.attempt(lambda: self._work.handle(job, self.assignment)):
            await self._park(lane, job, attempts=1, wait=self._timing.retry_delays[0], reason=_say(failure))
            self._parked.add(lane)
            self._work.counters.parked_lanes = len(self._parked)
            _LOG.warning("lane parked", group=self._work.group, lane=lane, error=_say(failure))
        queue.jobs.popleft()
        self._done(job)

    async def _tend(self, lane: str, queue: _Queue) -> None:
        """Queue what has come behind the parked records, and try the first of these when it is due."""
        queue.bell.clear()
        while queue.jobs:
            await self._park(lane, queue.jobs[0], attempts=0, wait=0, reason="")
            self._done(queue.jobs.popleft())
        first = await self._patience.surely(lambda: self._first(lane))
        if first is None:
            self._parked.discard(lane)
            self._work.counters.parked_lanes = len(self._parked)
            _LOG.info("lane is well again", group=self._work.group, lane=lane)
        elif first.due_in > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(queue.bell.wait(), first.due_in)
        else:
            await self._try_parked(first)

    async def _try_parked(self, parked: parking.Parked) -> None:
        self._work.counters.retries += 1
        job = self._work.sort(parked.record)
        if job is None:
            await self._patience.surely(lambda: self._work.drop(parked.seq))
        elif failure := await self._patience.attempt(
            lambda: self._work.handle(job, self.assignment, parked=parked.seq)
        ):
            tries = parked.attempts + 1
            if tries > len(self._timing.retry_delays):
                why = Why("handle", _say(failure), tries)
                await self._patience.surely(lambda: self._work.give_up(job, why, parked=parked.seq))
            else:
                wait = self._timing.retry_delays[parked.attempts]
                await self._patience.surely(lambda: self._work.failed_again(parked, wait=wait, reason=_say(failure)))

    async def _park(self, lane: str, job: Job, *, attempts: int, wait: float, reason: str) -> None:
        await self._patience.surely(lambda: self._work.park(lane, job, attempts=attempts, wait=wait, reason=reason))

    async def _first(self, lane: str) -> parking.Parked | None:
        async with self._work.database.begin() as tx:
            return await parking.first(tx.connection, self._work.group, lane)

    def _done(self, job: Job) -> None:
        self.assignment.done(job.record)
        self._progress()


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
