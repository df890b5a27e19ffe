"""KeyLanes: how one record is handled: outside effects first, then one transaction with inbox, effect and outbox.

The running of lanes (order, concurrency, parking) is in `shifts`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
from outrider_bus.ports import Heard, Lane, LaneHandler, RefusedError, StaleEpochError, Tx
from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import Decoder, RawRecord, read

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class KeyLanes:
    """Handles single records of one group. `dead_letters` is the topic of what is given up."""

    group: str
    handlers: Mapping[type[Event], LaneHandler]
    lane: Lane
    decoder: Decoder
    database: PostgresDatabase
    dead_letters: str
    counters: Counters

    def sort(self, record: RawRecord) -> "Job | None":
        """Read *record* and name its lane; None where there is nothing to do. Never raises."""
        try:
            heard = read(record, self.decoder)
            if heard is None or type(heard.event) not in self.handlers:
                self.counters.skipped += 1
                return None
            return Job(record, parking.lane_name(self.lane(heard.event)), heard)
        except UndecodableError as error:
            why = Why(error.stage, str(error))
        except Exception as error:  # noqa: BLE001 - a lane function that fails on a fact is the fact's dead letter
            why = Why("lane", f"{type(error).__name__}: {error}")
        nobody = f"!unreadable {record.topic}/{record.partition}"
        return Job(record, nobody, None, why)

    async def handle(self, job: "Job", assignment: Assignment, *, parked: int | None = None) -> None:
        """Handle one record; its inbox row and its way out of the parking lot are in the handler's transaction."""
        if job.heard is None:
            await self._give_up(job, job.why, parked=parked)
            return

        def begin() -> AbstractAsyncContextManager[Tx]:
            return self._transaction(job, heard, assignment, parked)

        try:
            with telemetry.processing(self.group, job.heard) as heard:
                await self.handlers[type(heard.event)](heard, begin)
        except inbox.AlreadyDone:
            pass
        except RefusedError as refusal:
            _LOG.info("refused", group=self.group, event_id=job.heard.envelope.id, reason=str(refusal))
        if parked is not None:  # a handler that wanted no transaction, or one whose work was done before
            await self._drop(parked)

    async def _give_up(self, job: "Job", why: Why, *, parked: int | None = None) -> None:
        """Write the dead letter, once, with the inbox row."""
        async with self.database.begin() as tx:
            if new := await inbox.take(tx.connection, self.group, [job.inbox_key]):
                tx.put(dead_letter(job.record, why, topic=self.dead_letters, group=self.group))
            if parked is not None:
                await parking.remove(tx.connection, parked)
        if new:
            self.counters.given_up(job.record, why)

    async def retry(self, parked: parking.Parked, assignment: Assignment) -> None:
        """Handle a parked record, and take it out of the parking lot."""
        if job := self.sort(parked.record):
            await self.handle(job, assignment, parked=parked.seq)
        else:
            await self._drop(parked.seq)

    async def give_up(self, parked: parking.Parked, why: Why) -> None:
        """Make a dead letter of a parked record."""
        if job := self.sort(parked.record):
            await self._give_up(job, why, parked=parked.seq)

    async def _drop(self, seq: int) -> None:
        """Take a parked record out that there is nothing to do for any more."""
        async with self.database.begin() as tx:
            await parking.remove(tx.connection, seq)

    @asynccontextmanager
    async def _transaction(
        self, job: "Job", heard: Heard[Event], assignment: Assignment, parked: int | None
    ) -> AsyncIterator[OutboxTx]:
        async with self.database.begin(heard) as tx:
            if not await inbox.take(tx.connection, self.group, [job.inbox_key]):
                raise inbox.AlreadyDone
            if parked is not None:
                await parking.remove(tx.connection, parked)
            yield tx
            if not assignment.active:
                raise StaleEpochError("the partition was taken away meanwhile")


class Job(NamedTuple):
    """One record with its lane; `why` tells what is wrong with one that could not be read."""

    record: RawRecord
    lane: str
    heard: Heard[Event] | None
    why: Why = Why("decode", "")

    @property
    def inbox_key(self) -> tuple[str, str]:
        """Its key in the inbox."""
        return inbox.key(self.record, self.heard)
