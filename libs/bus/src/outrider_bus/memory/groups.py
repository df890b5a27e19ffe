"""Consumer groups of the memory bus: what BatchTx and KeyLanes promise, told without a database."""

import re
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from outrider_contracts.envelope import UndecodableError
from outrider_contracts.event import Event

from outrider_bus import inbox, telemetry
from outrider_bus.deadletters import Why, dead_letter
from outrider_bus.handling.again import DONE, KNOWN, Outcome, judge
from outrider_bus.handling.parking import lane_of_key
from outrider_bus.handling.patience import spell
from outrider_bus.memory.database import MemoryDatabase, MemoryTx
from outrider_bus.ports import (
    BatchHandler,
    Begin,
    Heard,
    Lane,
    LaneHandler,
    NeverAgain,
    RefusedError,
    Tx,
    UnavailableError,
)
from outrider_bus.records import Decoder, RawRecord, read


@dataclass
class Group:
    """What all groups have: a subscription, an inbox, records that wait, dead letters."""

    name: str
    topics: Sequence[str]
    pattern: str
    decoder: Decoder
    never_again: NeverAgain
    database: MemoryDatabase
    dead_letters: str
    tries: int
    pending: deque[RawRecord] = field(default_factory=deque, init=False)
    inbox: set[tuple[str, str]] = field(default_factory=set, init=False)
    sick: dict[str, deque[tuple[RawRecord, int]]] = field(default_factory=dict, init=False)
    scopes: dict[str, set[tuple[str, str]]] = field(default_factory=dict, init=False)

    def feed(self, records: Sequence[RawRecord]) -> None:
        """Queue what this group is subscribed to."""
        self.pending += [
            r for r in records if r.topic in self.topics or (self.pattern and re.match(self.pattern, r.topic))
        ]

    async def work(self) -> None:
        """Work off what is queued, up to what an outside system can't take now."""
        raise NotImplementedError

    @property
    def hears(self) -> Collection[type[Event]]:
        """The types it handles."""
        raise NotImplementedError

    async def attempt(self, heard: Heard[Event], begin: Begin) -> None:
        """Give one fact to its handler."""
        raise NotImplementedError

    async def handle_again(self, record: RawRecord, *, scope: str) -> Outcome:
        """Give *record* to the handlers once more, under inbox *scope*."""
        heard = judge(record, self.decoder, self.hears, self.never_again)
        if isinstance(heard, Outcome):
            return heard
        done = self.inbox if scope == self.name else self.scopes.setdefault(scope, set())
        key = inbox.key(record, heard)
        if key in done:
            return KNOWN
        try:
            await self.attempt(heard, lambda: self.database.begin(heard))
        except RefusedError as refusal:
            done.add(key)
            return Outcome("refused", str(refusal))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - as in the real one: it is the record's outcome
            return Outcome("failed", f"{type(error).__name__}: {error}")
        done.add(key)
        return DONE

    async def retry_parked(self) -> None:
        """Let each sick lane try its first record, and what is behind it once that is done."""
        for lane in list(self.sick):
            queue = self.sick[lane]
            while queue:
                record, attempts = queue[0]
                heard = await self.read(record)
                failure = await self._attempt(record, heard) if heard else None
                if failure and attempts + 1 < self.tries:
                    queue[0] = (record, attempts + 1)
                    break
                if failure and heard:
                    await self.give_up(record, heard, Why("handle", spell(failure), attempts + 1))
                queue.popleft()
            if not queue:
                del self.sick[lane]

    def _queue(self, lane: str, record: RawRecord) -> None:
        if record not in [parked for parked, _ in self.sick[lane]]:
            self.sick[lane].append((record, 0))

    async def _attempt(self, record: RawRecord, heard: Heard[Event]) -> Exception | None:
        key = inbox.key(record, heard)

        @asynccontextmanager
        async def begin() -> AsyncIterator[MemoryTx]:
            if key in self.inbox:
                raise inbox.AlreadyDone
            try:
                async with self.database.begin(heard) as tx:
                    yield tx
            except RefusedError:
                self.inbox.add(key)
                raise
            self.inbox.add(key)

        def opened() -> AbstractAsyncContextManager[Tx]:
            return begin()

        try:
            with telemetry.processing(self.name, heard) as heard:
                await self.attempt(heard, opened)
        except (inbox.AlreadyDone, RefusedError):
            return None
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises parks its lane, and only its lane
            return error
        return None

    async def give_up(self, record: RawRecord, heard: Heard[Event] | None, why: Why) -> None:
        """Write a dead letter, once."""
        key = inbox.key(record, heard)
        if key not in self.inbox:
            async with self.database.begin() as tx:
                tx.put(dead_letter(record, why, topic=self.dead_letters, group=self.name))
            self.inbox.add(key)

    async def read(self, record: RawRecord) -> Heard[Event] | None:
        """Decode; what can't be read is a dead letter at once."""
        try:
            return read(record, self.decoder)
        except UndecodableError as error:
            await self.give_up(record, None, Why(error.stage, str(error)))
            return None


@dataclass
class BatchGroup(Group):
    """BatchTx in memory."""

    types: frozenset[type[Event]]
    handler: BatchHandler
    max_records: int

    @property
    def hears(self) -> Collection[type[Event]]:
        return self.types

    async def attempt(self, heard: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await self.handler([heard], tx)

    async def work(self) -> None:
        while self.pending:
            batch = list(self.pending)[: self.max_records]
            try:
                await self._work_off(batch)
            except UnavailableError:
                return
            for _ in batch:
                self.pending.popleft()

    async def _work_off(self, batch: Sequence[RawRecord]) -> None:
        fresh: dict[tuple[str, str], tuple[RawRecord, Heard[Event]]] = {}
        for record in batch:
            heard = await self.read(record)
            if heard and type(heard.event) in self.types:
                key = inbox.key(record, heard)
                if (lane := lane_of_key(record)) in self.sick:
                    self._queue(lane, record)
                elif key not in self.inbox:
                    fresh.setdefault(key, (record, heard))
        if not fresh:
            return
        try:
            async with self.database.begin() as tx:
                with telemetry.processing_batch(self.name, [heard for _, heard in fresh.values()]) as facts:
                    await self.handler(facts, tx)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - as in the real one: told apart, then parked
            if len(fresh) > 1:
                for record, _ in fresh.values():
                    await self._work_off([record])
                return
            if not isinstance(error, RefusedError):
                ((record, _),) = fresh.values()
                self.sick[lane_of_key(record)] = deque([(record, 1)])
                return
        self.inbox |= fresh.keys()


@dataclass
class LaneGroup(Group):
    """KeyLanes in memory, one record after the other."""

    handlers: Mapping[type[Event], LaneHandler]
    lane: Lane

    @property
    def hears(self) -> Collection[type[Event]]:
        return self.handlers.keys()

    async def attempt(self, heard: Heard[Event], begin: Begin) -> None:
        await self.handlers[type(heard.event)](heard, begin)

    async def work(self) -> None:
        while self.pending:
            record = self.pending[0]
            heard = await self.read(record)
            if heard and type(heard.event) in self.handlers:
                lane = self.lane(heard.event)
                if lane in self.sick:
                    self._queue(lane, record)
                else:
                    try:
                        failure = await self._attempt(record, heard)
                    except UnavailableError:
                        return
                    if failure:
                        self.sick[lane] = deque([(record, 1)])
            self.pending.popleft()
