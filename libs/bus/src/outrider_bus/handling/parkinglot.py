"""The sick lanes of one assignment: whatever comes later queues behind what is parked; the first is tried when due."""

import time
from collections.abc import Iterable
from typing import Protocol

import structlog

from outrider_bus.counters import Counters
from outrider_bus.database import PostgresDatabase
from outrider_bus.deadletters import Why
from outrider_bus.handling import parking
from outrider_bus.handling.parking import Parked
from outrider_bus.handling.patience import attempt, spell
from outrider_bus.ports import StaleEpochError
from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import RawRecord
from outrider_bus.timing import Timing

_LOG = structlog.get_logger()
_AT_A_TIME = 10


class Work(Protocol):
    """What BatchTx and KeyLanes do with a parked record; either takes it out of the lot in the same transaction."""

    @property
    def database(self) -> PostgresDatabase: ...
    @property
    def counters(self) -> Counters: ...

    async def retry(self, parked: Parked, assignment: Assignment) -> None:
        """Handle it."""

    async def give_up(self, parked: Parked, why: Why) -> None:
        """Make it a dead letter."""


class ParkingLot:
    """Used by both runners. Every method raises UnavailableError and StaleEpochError; calling it again is harmless."""

    def __init__(self, work: Work, assignment: Assignment, timing: Timing) -> None:
        self.sick: set[str] = set()
        self._due: dict[str, float] = {}
        self._look_at = 0.0
        self._work = work
        self._assignment = assignment
        self._timing = timing
        self._database = work.database
        self._counters = work.counters
        self._group = work.counters.group

    async def learn(self) -> set[str]:
        """Which lanes are sick; gives those that were not known to be. Nothing may be handled before: it could overtake
        a parked record."""
        self._look_at = time.monotonic() + self._timing.parked_look
        async with self._database.begin() as tx:
            new = await parking.lanes(tx.connection, self._group, self._assignment.partitions) - self.sick
        self.sick |= new
        self._counters.parked_lanes = len(self.sick)
        return new

    async def look_again(self) -> set[str]:
        """The same later on: a worker that was frozen may have parked behind our back. Never raises."""
        try:
            return await self.learn()
        except Exception as error:  # noqa: BLE001 - as in tending: it is looked again soon
            _LOG.warning("not looked for sick lanes, trying again", group=self._group, error=repr(error))
            return set()

    async def park(self, lane: str, record: RawRecord, failure: Exception) -> None:
        """Park a record whose first try failed; its lane is sick from now on."""
        wait, reason = self._timing.retry_delays[0], spell(failure)
        async with self._database.begin() as tx:
            await parking.park(tx.connection, self._group, lane, record, attempts=1, wait=wait, reason=reason)
            self._check_ours()
        self.sick.add(lane)
        self._counters.parked_lanes = len(self.sick)
        _LOG.warning("lane parked", group=self._group, lane=lane, error=reason)

    async def queue(self, lane: str, records: Iterable[RawRecord]) -> None:
        """Park what has come behind."""
        async with self._database.begin() as tx:
            for record in records:
                await parking.queue(tx.connection, self._group, lane, record)
            self._check_ours()

    def _check_ours(self) -> None:
        """Whoever owns the partition now would not know of what is parked behind his back."""
        if not self._assignment.active:
            raise StaleEpochError("the partition was taken away meanwhile")

    async def tend(self, lane: str) -> float:
        """Try the first record of a sick lane where it is due. Gives the seconds until it should be seen to again,
        0 also where it is well."""
        async with self._database.begin() as tx:
            first = await parking.first(tx.connection, self._group, lane)
        if first is None:
            self.sick.discard(lane)
            self._counters.parked_lanes = len(self.sick)
            _LOG.info("lane is well again", group=self._group, lane=lane)
        elif 0 < first.due_in <= max(self._timing.retry_delays):  # beyond that the database's clock was set back
            return min(first.due_in, self._timing.parked_poll)
        else:
            await self._try(first)
        return 0

    async def tend_due(self) -> float:
        """Look for sick lanes and tend some that are due, for who has no other rhythm; gives the seconds until there is
        more to do. Never raises: what goes wrong is seen to later."""
        if (now := time.monotonic()) >= self._look_at:
            await self.look_again()
        self._due = {lane: self._due.get(lane, now) for lane in self.sick}
        due = sorted((at, lane) for lane, at in self._due.items() if at <= now)
        for _, lane in due[:_AT_A_TIME]:
            try:
                seconds = await self.tend(lane)
            except Exception as error:  # noqa: BLE001 - an outage, or a fault of the bus: one lane must not hold up all
                _LOG.warning("lane not tended, trying again", group=self._group, lane=lane, error=repr(error))
                seconds = self._timing.parked_poll
            self._due[lane] = time.monotonic() + seconds
        return max(0.0, min([self._look_at, *self._due.values()]) - time.monotonic())

    async def _try(self, parked: Parked) -> None:
        self._counters.retries += 1
        failure = await attempt(lambda: self._work.retry(parked, self._assignment), self._counters)
        if failure is None:
            return
        tries, delays = parked.attempts + 1, self._timing.retry_delays
        if tries > len(delays):
            await self._work.give_up(parked, Why("handle", spell(failure), tries))
        else:
            async with self._database.begin() as tx:
                await parking.failed(tx.connection, parked, wait=delays[parked.attempts], reason=spell(failure))
