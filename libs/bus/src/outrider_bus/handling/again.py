"""Handling a record again, at an operator's word: what a replay and a redrive are made of.

The group's own handlers and its inbox under a scope; the log's order, parking and dead letters are not their business.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from outrider_contracts.envelope import UndecodableError
from outrider_contracts.event import Event

from outrider_bus import inbox, telemetry
from outrider_bus.database import PostgresDatabase, is_away, is_worth_repeating
from outrider_bus.groups import Group
from outrider_bus.handling.patience import from_within, spell
from outrider_bus.ports import Heard, NeverAgain, RefusedError, StaleEpochError, Tx, UnavailableError
from outrider_bus.records import Decoder, RawRecord, read

Kind = Literal["done", "known", "skipped", "refused", "left_out", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a record. `done` and `refused` are kept; `known`: the scope's inbox had it; `skipped`: a type the
    group does not hear; `left_out`: one it never handles again; `failed`: nothing of it was kept."""

    kind: Kind
    reason: str = ""


DONE, KNOWN, SKIPPED = Outcome("done"), Outcome("known"), Outcome("skipped")


def judge(
    record: RawRecord,
    decoder: Decoder,
    types: Collection[type[Event]],
    never_again: NeverAgain,
    *,
    first: bool = False,
) -> Heard[Event] | Outcome:
    """Read *record* for a group, or say why it is not handled. Never raises."""
    try:
        heard = read(record, decoder)
    except UndecodableError as error:
        return Outcome("failed", f"{error.stage}: {error}")
    if heard is None or type(heard.event) not in types:
        return SKIPPED
    if first:
        return heard
    if why := never_again.get(type(heard.event)):
        return Outcome("left_out", why)
    return replace(heard, replayed=True)


async def handle_again(
    group: Group, record: RawRecord, database: PostgresDatabase, *, scope: str, first: bool = False
) -> Outcome:
    """Handle one record under inbox *scope*. `first`: as if Kafka gave it for the first time, so no type is left out.

    Raises UnavailableError: nothing is known of the outcome, but trying again is harmless.
    """
    heard = judge(record, group.decoder, group.types, group.never_again, first=first)
    if isinstance(heard, Outcome):
        return heard
    if not await unknown(database, scope, record.topic, [heard.envelope.id]):
        return KNOWN  # asked before: a lane's handler does its outside effects before it begins
    return await _attempt(group, heard, database, scope=scope)


async def _attempt(group: Group, heard: Heard[Event], database: PostgresDatabase, *, scope: str) -> Outcome:
    key = inbox.key_of(heard)

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Tx]:
        async with database.begin(traced) as tx:
            if not await inbox.take(tx.connection, scope, [key]):
                raise inbox.AlreadyDone
            yield tx

    try:
        with telemetry.processing(scope, heard) as traced:
            if group.batch_handler:
                async with transaction() as tx:
                    await group.batch_handler([traced], tx)
            else:
                await group.lane_handlers[type(heard.event)](traced, transaction)
    except inbox.AlreadyDone:
        return KNOWN
    except RefusedError as refusal:
        return Outcome("refused", str(refusal))
    except UnavailableError:
        raise
    except asyncio.CancelledError as error:
        return Outcome("failed", spell(from_within(error)))
    except Exception as error:  # whatever a handler raises is the record's outcome, and holds up no other
        if _is_for_now(error):
            raise UnavailableError(str(error)) from error
        return Outcome("failed", spell(error))
    return DONE


def _is_for_now(error: Exception) -> bool:
    return isinstance(error, StaleEpochError | UnavailableError) or is_away(error) or is_worth_repeating(error)


async def unknown(database: PostgresDatabase, scope: str, topic: str, ids: Sequence[str]) -> set[str]:
    """Those of the *ids* said in *topic* that *scope* has not worked off. Raises UnavailableError."""
    return {row["event_id"] for row in await database.fetch(inbox.UNKNOWN, scope, topic, ids)}  # mostly few: it repeats


class _Together(Exception):
    """Handled together they fail: the one at fault has to be found."""


@dataclass(frozen=True)
class Attempt:
    """Handles many records again under one scope: of a batch group in one transaction, of lanes side by side.

    `surely` waits out what is away; with nothing kept of the attempt, it is made again.
    """

    group: Group
    database: PostgresDatabase
    scope: str
    types: Collection[type[Event]]
    surely: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]

    async def all(self, records: Sequence[RawRecord]) -> list[Outcome]:
        """The outcome of each of *records*."""
        judged = [judge(r, self.group.decoder, self.types, self.group.never_again) for r in records]
        outcomes = [one if isinstance(one, Outcome) else DONE for one in judged]
        facts = {place: one for place, one in enumerate(judged) if isinstance(one, Heard)}
        if facts:
            handled = await (self._batch(facts) if self.group.batch_handler else self._lanes(facts))
            for place, outcome in handled.items():
                outcomes[place] = outcome
        for place in await self._given_up(records, [at for at, one in enumerate(outcomes) if one.kind == "failed"]):
            outcomes[place] = KNOWN
        return outcomes

    async def _given_up(self, records: Sequence[RawRecord], failed: Sequence[int]) -> list[int]:
        """Which of those that failed could not be read in the scope before: a dead letter was made of them."""
        if not failed:
            return []
        names = {place: inbox.place(records[place]) for place in failed}
        topic, asked = records[0].topic, list(names.values())
        new = await self.surely(lambda: unknown(self.database, self.scope, topic, asked))
        return [place for place, name in names.items() if name not in new]

    async def _one(self, heard: Heard[Event]) -> Outcome:
        outcome: Outcome = await self.surely(lambda: _attempt(self.group, heard, self.database, scope=self.scope))
        return outcome

    async def _batch(self, facts: Mapping[int, Heard[Event]]) -> dict[int, Outcome]:
        try:
            outcomes: dict[int, Outcome] = await self.surely(lambda: self._together(facts))
        except _Together:
            return {place: await self._one(heard) for place, heard in facts.items()}
        return outcomes

    async def _together(self, facts: Mapping[int, Heard[Event]]) -> dict[int, Outcome]:
        assert self.group.batch_handler
        try:
            async with self.database.begin() as tx:
                by_key: dict[tuple[str, str], int] = {}
                for place, heard in facts.items():
                    by_key.setdefault(inbox.key_of(heard), place)
                new = await inbox.take(tx.connection, self.scope, by_key)
                fresh = {place: facts[place] for key, place in by_key.items() if key in new}
                if fresh:
                    try:
                        with telemetry.processing_batch(self.scope, list(fresh.values())) as traced:
                            await self.group.batch_handler(traced, tx)
                    except RefusedError as refusal:  # one record's answer: what it interrupted is not kept half done
                        raise _Together from refusal
        except asyncio.CancelledError as error:
            raise _Together from from_within(error)
        except Exception as error:  # as in a batch that is heard: told apart, record by record
            if isinstance(error, _Together):
                raise
            if _is_for_now(error):
                raise UnavailableError(str(error)) from error
            raise _Together from error
        return {place: DONE if place in fresh else KNOWN for place in facts}

    async def _lanes(self, facts: Mapping[int, Heard[Event]]) -> dict[int, Outcome]:
        """Each lane in order, few enough at once to leave the room to the living."""
        assert self.group.lane
        outcomes: dict[int, Outcome] = {}
        lanes: dict[str, list[int]] = {}
        for place, heard in facts.items():
            try:
                lanes.setdefault(self.group.lane(heard.event), []).append(place)
            except Exception as error:  # noqa: BLE001 - a lane function that fails on a fact is the fact's failure
                outcomes[place] = Outcome("failed", spell(error))
        room = asyncio.Semaphore(max(1, self.group.at_once // 4))

        async def one_after_the_other(places: Sequence[int]) -> None:
            async with room:
                for place in places:
                    outcomes[place] = await self._one(facts[place])

        ended = await asyncio.gather(*map(one_after_the_other, lanes.values()), return_exceptions=True)
        for stopped in filter(None, ended):
            raise stopped
        return outcomes
