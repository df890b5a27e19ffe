"""Handling a record again, at an operator's word: what a replay and a redrive are made of.

The group's own handlers and its inbox under a scope; the log's order, parking and dead letters are not their business.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Literal

from outrider_contracts.envelope import UndecodableError
from outrider_contracts.event import Event

from outrider_bus import inbox, telemetry
from outrider_bus.database import PostgresDatabase, is_away, is_worth_repeating
from outrider_bus.groups import Group
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
    group: Group, record: RawRecord, database: PostgresDatabase, *, scope: str, forget: bool, first: bool = False
) -> Outcome:
    """Handle one record under inbox *scope*; `forget` takes its inbox row out first, in the same transaction.

    `first`: as if Kafka gave it for the first time, so no type is left out.

    Raises UnavailableError: nothing is known of the outcome, but trying again is harmless.
    """
    heard = judge(record, group.decoder, group.types, group.never_again, first=first)
    if isinstance(heard, Outcome):
        return heard
    key = (record.topic, heard.envelope.id)

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Tx]:
        async with database.begin(traced) as tx:
            if forget:
                await inbox.drop(tx.connection, scope, key)
            if not await inbox.take(tx.connection, scope, [key]):
                raise inbox.AlreadyDone
            yield tx

    try:
        if not forget and await known(database, scope, [key]):
            return KNOWN  # asked before: a lane's handler does its outside effects before it begins
        with telemetry.processing(scope, heard) as traced:
            await _handle(group, traced, transaction)
    except inbox.AlreadyDone:
        return KNOWN
    except RefusedError as refusal:
        return Outcome("refused", str(refusal))
    except UnavailableError:
        raise
    except Exception as error:  # whatever a handler raises is the record's outcome, and holds up no other
        if isinstance(error, StaleEpochError) or is_away(error) or is_worth_repeating(error):
            raise UnavailableError(str(error)) from error
        return Outcome("failed", f"{type(error).__name__}: {error}")
    return DONE


async def known(database: PostgresDatabase, scope: str, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the (topic, id) pairs that *scope* has worked off."""
    async with database.begin() as tx:
        return await inbox.known(tx.connection, scope, keys)


async def _handle(
    group: Group, heard: Heard[Event], transaction: Callable[[], AbstractAsyncContextManager[Tx]]
) -> None:
    if group.batch_handler:
        async with transaction() as tx:
            await group.batch_handler([heard], tx)
        return
    await group.lane_handlers[type(heard.event)](heard, transaction)
