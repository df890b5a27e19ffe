"""BatchTx: a batch of records, one PostgreSQL transaction (inbox, effect, outbox), then the Kafka commit."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from outrider_contracts.envelope import UndecodableError
from outrider_contracts.event import Event

from outrider_bus import inbox, telemetry
from outrider_bus.counters import Counters
from outrider_bus.database import OutboxTx, PostgresDatabase
from outrider_bus.deadletters import Why, dead_letter
from outrider_bus.handling import parking
from outrider_bus.handling.parking import Parked
from outrider_bus.handling.parkinglot import ParkingLot
from outrider_bus.handling.patience import attempt
from outrider_bus.handling.turns import Turns
from outrider_bus.ports import BatchHandler, Heard, RefusedError, StaleEpochError, UnavailableError
from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import Decoder, RawRecord, read
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_AT_ONCE = 50


class _RefusedAmongOthers(Exception):
    """One record of several was refused; they have to be told apart."""


class Job(NamedTuple):
    """A record that was read: a fact, or why it can't be one; neither where the group does not hear its type."""

    record: RawRecord
    key: tuple[str, str] = ("", "")
    """Its place in the inbox: topic and id."""
    fact: Heard[Event] | None = None
    why: Why | None = None

    @property
    def lane(self) -> str:
        """What parks together: its key."""
        return parking.lane_of_key(self.record)


@dataclass(frozen=True)
class BatchTx:
    """Works off batches of one group. `dead_letters` is the topic of what is given up."""

    group: str
    types: frozenset[type[Event]]
    handler: BatchHandler
    decoder: Decoder
    database: PostgresDatabase
    dead_letters: str
    counters: Counters

    def sort(self, record: RawRecord) -> Job:
        """Find out what is to be done with *record*. Never fails."""
        try:
            fact = read(record, self.decoder)
        except UndecodableError as error:
            return Job(record, inbox.key(record, None), None, Why(error.stage, str(error)))
        if fact is None or type(fact.event) not in self.types:
            self.counters.skipped += 1
            return Job(record)
        return Job(record, inbox.key(record, fact), fact)

    async def work_off(
        self, jobs: Sequence[Job], assignment: Assignment, *, sick: Collection[str] = (), parked: int | None = None
    ) -> None:
        """Keep the whole batch, or nothing of it, in one transaction.

        What can't be read becomes a dead letter; what belongs to a *sick* lane queues behind what is parked; *parked*
        leaves the parking lot.
        """
        by_key: dict[tuple[str, str], Job] = {}
        behind: list[Job] = []
        for job in jobs:
            if sick and job.fact and job.lane in sick:
                behind.append(job)
            elif job.fact or job.why:
                by_key.setdefault(job.key, job)
        if not by_key and not behind and parked is None:
            return
        refused: RefusedError | None = None
        async with self.database.begin() as tx:
            for job in behind:
                await parking.queue(tx.connection, self.group, job.lane, job.record)
            new = await inbox.take(tx.connection, self.group, by_key)
            if parked is not None:  # behind the inbox, as whoever gives up by hand does: nobody waits crosswise
                await parking.remove(tx.connection, parked)
            fresh = [job for key, job in by_key.items() if key in new]
            letters = [(job.record, job.why) for job in fresh if job.why]
            for record, why in letters:
                tx.put(dead_letter(record, why, topic=self.dead_letters, group=self.group))
            if facts := [job.fact for job in fresh if job.fact]:
                try:
                    await self._handle(facts, tx)
                except RefusedError as refusal:  # kept like the rest: its answer, and what else the batch does
                    refused = refusal
            if not assignment.active:
                raise StaleEpochError("the partitions were taken away meanwhile")
        for record, why in letters:
            self.counters.given_up(record, why)
        if refused:
            raise refused

    async def _handle(self, fresh: Sequence[Heard[Event]], tx: OutboxTx) -> None:
        try:
            with telemetry.processing_batch(self.group, fresh) as facts:
                await self.handler(facts, tx)
        except RefusedError as refusal:
            if len(fresh) > 1:  # a refusal is about one record; what it interrupted must not be kept half done
                raise _RefusedAmongOthers from refusal
            raise

    async def retry(self, parked: Parked, assignment: Assignment) -> None:
        """Work off a parked record, alone."""
        with suppress(RefusedError):
            await self.work_off([self.sort(parked.record)], assignment, parked=parked.seq)

    async def give_up(self, parked: Parked, why: Why) -> None:
        """Make a dead letter of a parked record."""
        async with self.database.begin() as tx:
            if new := await inbox.take(tx.connection, self.group, [self.sort(parked.record).key]):
                tx.put(dead_letter(parked.record, why, topic=self.dead_letters, group=self.group))
            await parking.remove(tx.connection, parked.seq)
        if new:
            self.counters.given_up(parked.record, why)


class BatchRunner:
    """Takes up to *max_records* at a time, from all owners in turn, one batch after the other. Sick lanes are seen to
    between two batches."""

    def __init__(self, work: BatchTx, *, max_records: int, timing: Timing, progress: Callable[[], None]) -> None:
        self._work = work
        self._max_records = self._most = max_records
        self._timing = timing
        self._progress = progress
        self._waiting: Turns[RawRecord] = Turns()
        self._next: list[Job] = []
        self._arrived = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._draining = False

    def assigned(self, assignment: Assignment) -> None:
        self._forget()
        self._draining = False
        self._worker = asyncio.create_task(self._guard(assignment))

    def feed(self, records: Sequence[RawRecord]) -> None:
        for record in records:
            self._waiting.put(record.owner, record)
        self._arrived.set()

    async def drain(self) -> None:
        """End the batch in hand; where that takes too long its transaction is refused by the ended assignment."""
        self._draining = True
        self._forget()
        self._arrived.set()
        if self._worker:
            await asyncio.wait([self._worker], timeout=self._timing.drain)

    def _forget(self) -> None:
        self._waiting.clear()
        self._next = []

    async def _read(self) -> None:
        """Read the next batch, a little at a time: the one in hand must get on meanwhile."""
        while self._waiting and len(self._next) < self._max_records:
            few = min(_AT_ONCE, self._max_records - len(self._next))
            self._next += map(self._work.sort, self._waiting.take(few))
            await asyncio.sleep(0)

    async def _guard(self, assignment: Assignment) -> None:
        try:
            await self._run(assignment)
        except Exception as error:  # noqa: BLE001 - a bug of the bus itself: health tells it, nothing is committed
            self._work.counters.broken = repr(error)
            _LOG.exception("the batch worker broke; the service should be restarted", group=self._work.group)

    async def _run(self, assignment: Assignment) -> None:
        work = self._work
        lot = ParkingLot(work, assignment, self._timing)
        ours = await self._surely(lot.learn, assignment)
        if ours:
            work.counters.goes_on()  # whatever was away before: nothing of this assignment has waited for it
        while ours and assignment.active:
            until_due = await lot.tend_due()
            if self._draining or not assignment.active:  # it may have hung until another worker had begun
                return
            if not self._waiting and not self._next:
                self._arrived.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), until_due)
                continue
            await self._read()
            batch, self._next = self._next, []
            if not batch:  # taken away while they were read
                continue
            most, left = self._most, [*batch]
            keeping = self._surely(lambda now=left: self._keep(now, assignment, lot), assignment)  # type: ignore[misc]
            ours, _ = await asyncio.gather(keeping, self._read())
            if ours:
                if self._most == most:  # all went well at that size: back to what it was, bit by bit
                    self._most = min(2 * most, self._max_records)
                work.counters.batch_records.add(len(batch))
                for job in batch:
                    assignment.done(job.record)
                self._progress()

    async def _surely(self, act: Callable[[], Awaitable[object]], assignment: Assignment) -> bool:
        """Do *act*, however long it takes; False where it is no longer ours to do."""
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while assignment.active and not (self._draining and self._work.counters.is_waiting):
            try:
                await act()
            except StaleEpochError:
                return False
            except UnavailableError as error:
                self._work.counters.waits(str(error))
            except Exception:  # noqa: BLE001 - of the bus's own, for a handler's is dealt with: never give up
                _LOG.exception("book-keeping failed, trying again", group=self._work.group)
            else:
                return True
            await asyncio.sleep(next(waits))
        return False

    async def _keep(self, left: list[Job], assignment: Assignment, lot: ParkingLot) -> None:
        """Work off what is *left* of a batch, in portions that halve with each failure of the database: what takes
        longer than a transaction may is kept piece by piece."""
        while left:
            portion = left[: self._most]
            try:
                await self._work_off(portion, assignment, lot)
            except UnavailableError:
                self._most = max(1, len(portion) // 2)
                raise
            del left[: len(portion)]

    async def _work_off(self, batch: Sequence[Job], assignment: Assignment, lot: ParkingLot) -> None:
        """Work the batch off. Where that fails each record is worked off alone, and what fails alone parks its lane."""
        failure = await attempt(lambda: self._work.work_off(batch, assignment, sick=lot.sick), self._work.counters)
        if failure is None or isinstance(failure, RefusedError):
            return
        if len(batch) == 1:
            await lot.park(batch[0].lane, batch[0].record, failure)
            return
        _LOG.warning("batch refused, working it off record by record", group=self._work.group, records=len(batch))
        for job in batch:
            await self._work_off([job], assignment, lot)
