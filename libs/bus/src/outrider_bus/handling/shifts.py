"""Running lanes: order within each, a bound on all of them, owners in turn, and lanes that are sick.

A shift lasts from one assignment of partitions to the next; nothing is carried over but what PostgreSQL holds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import structlog

from outrider_bus.handling.lanes import Job, KeyLanes
from outrider_bus.handling.parkinglot import ParkingLot
from outrider_bus.handling.patience import attempt
from outrider_bus.handling.turns import Turns
from outrider_bus.ports import StaleEpochError, UnavailableError
from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_TURNS_IN_A_BREATH = 8


@dataclass(slots=True)
class _Lane:
    """What one lane still has to do. `busy`: it waits for its turn, has it, or rests because something is away."""

    name: str
    owner: str
    jobs: deque[Job] = field(default_factory=deque)
    busy: bool = False
    timer: asyncio.TimerHandle | None = None
    waits: Iterator[float] | None = None

    def call(self) -> bool:
        """Make it busy; False where it is."""
        if self.busy:
            return False
        self.busy = True
        if self.timer:
            self.timer.cancel()
        return True


class LaneRunner:
    """Hands each record to its lane; at most *concurrency* handlers run at once."""

    def __init__(self, work: KeyLanes, *, concurrency: int, timing: Timing, progress: Callable[[], None]) -> None:
        def make(assignment: Assignment) -> Shift:
            return Shift(work, assignment, concurrency, timing, progress)

        self._make = make
        self._shift = self._make(Assignment(()))

    def assigned(self, assignment: Assignment) -> None:
        self._shift = self._make(assignment)
        self._shift.begin()

    def feed(self, records: Sequence[RawRecord]) -> None:
        self._shift.feed(records)

    async def drain(self) -> None:
        await self._shift.end()


class Shift:
    """The lanes of one assignment, and the workers that take them in turn, a record at a time."""

    def __init__(
        self, work: KeyLanes, assignment: Assignment, concurrency: int, timing: Timing, progress: Callable[[], None]
    ) -> None:
        self._assignment = assignment
        self._work = work
        self._concurrency = concurrency
        self._timing = timing
        self._progress = progress
        self._lot = ParkingLot(work, assignment, timing)
        self._lanes: dict[str, _Lane] = {}
        self._turns: Turns[RawRecord | _Lane] = Turns()
        self._waiting = asyncio.Semaphore(0)
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._look: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to work."""
        self._look = self._start(self._look_for_sick_lanes())

    def feed(self, records: Sequence[RawRecord]) -> None:
        """Have records wait for their owners' turns. They are read only then: a flood is passed by quickly."""
        for record in records:
            self._turns.put(record.owner, record)
            self._waiting.release()

    async def end(self) -> None:
        """Let running handlers end; where that takes too long the ended assignment refuses their transactions."""
        self._over.set()
        if self._look:
            self._look.cancel()
        for lane in self._lanes.values():
            if lane.timer:
                lane.timer.cancel()
        for _ in range(self._concurrency):
            self._waiting.release()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timing.drain)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a bug of the bus itself: health tells it, nothing is committed
            self._work.counters.broken = repr(error)
            _LOG.exception("a lanes' worker broke; the service should be restarted", group=self._work.group)

    async def _look_for_sick_lanes(self) -> None:
        """No lane starts before the first look, for nothing may overtake a parked record."""
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            try:
                sick = await self._lot.learn()
                break
            except UnavailableError as error:
                self._work.counters.waits(str(error))
                await asyncio.sleep(next(waits))
        self._work.counters.goes_on()  # whatever was away before: nothing of this assignment has waited for it
        for _ in range(self._concurrency):
            self._start(self._take_turns())
        while True:
            for name in sick:
                self._wake(self._lane(name, owner=""))
            await asyncio.sleep(self._timing.parked_look)
            sick = await self._lot.look_again()

    def _lane(self, name: str, owner: str) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(name, owner)
        return lane

    def _sort(self, record: RawRecord) -> _Lane | None:
        """Put *record* into its lane; gives the lane where that has its turn now."""
        job = self._work.sort(record)
        if job is None:
            self._assignment.done(record)
            self._progress()
            return None
        lane = self._lane(job.lane, record.owner)
        lane.jobs.append(job)
        return lane if lane.call() else None

    def _wake(self, lane: _Lane) -> None:
        """Have *lane* wait for its turn, unless it does, or rests."""
        if lane.call():
            self._turns.put(lane.owner, lane)
            self._waiting.release()

    async def _take_turns(self) -> None:
        for number in count():
            if number % _TURNS_IN_A_BREATH == 0:
                await asyncio.sleep(0)  # handlers that never wait must not keep the consumer from its heartbeat
            await self._waiting.acquire()
            if self._over.is_set():
                return
            turn = self._turns.pop()
            lane = self._sort(turn) if isinstance(turn, RawRecord) else turn
            if lane is None:
                continue
            try:
                seconds, rests = await self._step(lane), False
                lane.waits = None
            except Exception as error:  # noqa: BLE001 - of the bus's own, for a handler's is dealt with: never give up
                seconds, rests = self._back_off(lane, error), True
            if not self._over.is_set():
                self._go_on(lane, seconds, rests=rests)

    async def _step(self, lane: _Lane) -> float:
        """Do the lane's next piece of work; gives the seconds until it should be seen to again by itself."""
        if lane.name in self._lot.sick:
            if come := list(lane.jobs):
                await self._lot.queue(lane.name, (job.record for job in come))
                for _ in come:
                    self._done(lane)
            return await self._lot.tend(lane.name)
        job = lane.jobs[0]
        if failure := await attempt(lambda: self._work.handle(job, self._assignment), self._work.counters):
            await self._lot.park(lane.name, job.record, failure)
        self._done(lane)
        return 0

    def _back_off(self, lane: _Lane, error: Exception) -> float:
        if isinstance(error, UnavailableError):
            self._work.counters.waits(str(error))
        elif not isinstance(error, StaleEpochError):
            _LOG.error("book-keeping failed, trying again", group=self._work.group, exc_info=error)
        lane.waits = lane.waits or backoff(self._timing.outage_first, self._timing.outage_cap)
        return next(lane.waits)

    def _go_on(self, lane: _Lane, seconds: float, *, rests: bool) -> None:
        lane.busy = rests
        if seconds > 0:
            lane.timer = asyncio.get_running_loop().call_later(seconds, self._rested, lane)
        elif lane.jobs or lane.name in self._lot.sick:
            self._wake(lane)
        else:
            del self._lanes[lane.name]

    def _rested(self, lane: _Lane) -> None:
        lane.busy = False
        self._wake(lane)

    def _done(self, lane: _Lane) -> None:
        self._assignment.done(lane.jobs.popleft().record)
        self._progress()
