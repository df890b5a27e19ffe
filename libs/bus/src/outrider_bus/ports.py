"""What the bus promises to those who say and hear facts.

* **At least once.** A record may be handled more than once: after a crash, a rebalance, an outage. Effects on outside
  systems may be repeated, so they must be idempotent. What is written and said in the record's transaction is kept
  once: the inbox row (group, topic, id) is part of it.
* **Nothing is passed over.** An offset is committed only when every record below it is done, parked or a dead letter,
  durably. Poison (headers, bytes, JSON, validation, a writer who may not say this) becomes a dead letter, untouched,
  with origin and reason, and holds nobody up. Unknown types are counted and skipped. What
  retention removes before a group has read it is gone: it is counted, and the log says where, once the group is back.
* **Order** is kept per lane (`lanes`; a lane's facts should be one team's) or per key (`batches`), across redeliveries,
  rebalances and parking; not across a dead letter, and not between topics. So handlers should converge in any order.
* **Teams take turns.** A flood delays another team's fact by turns, not by its size. `lanes`: teams that have work take
  turns for the slots, so a fact that was read begins once slots have come free as often as other teams wait. `batches`:
  they take turns for the places of a batch; of n that wait each has every nth place. In its own topic a team is one
  team, whatever keys it writes; elsewhere it is told by the key's beginning, without decoding. A group reads
  64 MiB ahead (some 25,000 ordinary facts), each partition its equal share, and only a partition that holds its share
  rests: a fact that lies further behind a flood of its own partition is seen when the flood has come down to that.
* **What is said leaves** if and only if its transaction commits, in order per key, at least once; hearers know its id.
* **Errors.** RefusedError: done, and what was said in its transaction is kept. UnavailableError (also a lost database
  connection): wait and try again for as long as it takes, never a dead letter. StaleEpochError: what was done is not
  kept; tried again while the partition is still ours. Anything else: the record parks in the database, what comes later
  in its lane queues behind it, all others flow; it is tried five times in two minutes, then it is a dead letter.
  `batches` works a batch that failed off record by record; a lane is a key there, or the partition of keyless records.
* **Handled again** (replay, redrive): the same handlers, told by `Heard.replayed`, under an inbox scope of the
  operator's choice. It is a second reader: no order with what the group hears meanwhile, nothing is parked, nothing
  becomes a dead letter, and facts that a group has declared in `never_again` are left out, unless a person asks for
  one dead letter's first delivery. A dead letter is handled at most once, whatever is killed meanwhile.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import asyncpg
from outrider_contracts.envelope import Envelope
from outrider_contracts.event import Event

E = TypeVar("E", bound=Event, covariant=True)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class RefusedError(Exception):
    """A business no: the handler has answered it with a fact. The record counts as done, never as a dead letter.

    A transaction that is left by it commits: the answer is kept.
    """


class UnavailableError(Exception):
    """An outside system is away: the bus pauses, backs off and tries again for as long as it takes."""


class StaleEpochError(Exception):
    """Another worker has taken this work over: what was done here is not kept."""


class Origin(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Heard(Generic[E]):
    """A fact with its attributes and its place in the log. `replayed`: an operator has it handled once more."""

    event: E
    envelope: Envelope
    origin: Origin
    replayed: bool = False


class Tx(Protocol):
    """One database transaction: effects, inbox and outbox stand or fall together."""

    @property
    def connection(self) -> Connection:
        """The transaction's connection. Do not commit on it."""

    async def say(self, *events: Event, cause: Heard[Event] | None = None, team_copies: bool = False) -> None:
        """Put facts into the outbox; `causationid` and `traceparent` are taken from *cause*.

        Where a lane's `begin` opened the transaction, its record is the cause unless another is named. What has none
        goes on in the trace that surrounds the caller, else in that of the run it is a part of. `team_copies` puts a
        copy into the topic of the team that each one concerns; where that topic is absent or forbidden the copies
        wait, and nothing else does.
        """

    async def say_raw(self, topic: str, key: str, value: bytes, headers: dict[str, str], id: str) -> None:
        """Put a record that is no event of ours (OpenLineage JSON) into the outbox, once per *id*.

        A header `traceparent` names the trace it goes on in.
        """


class Database(Protocol):
    """Begins transactions."""

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction for work that no record caused (HTTP, timers).

        Leaving it commits; an exception rolls back, but RefusedError commits and passes on. Raises UnavailableError
        where the database is away, also when it is not known whether the commit was kept.
        """


Begin = Callable[[], AbstractAsyncContextManager[Tx]]
"""Begins the transaction of one record: it writes the inbox row too. Where the record's work was done before, entering
it ends the handler at once and the record counts as done."""

BatchHandler = Callable[[Sequence[Heard[Event]], Tx], Awaitable[None]]
"""Hears records in order per key, each id once; effect and answers go through the given transaction. It may be called
again with a part of the records when the whole was refused."""

LaneHandler = Callable[[Heard[Event], Begin], Awaitable[None]]
"""Hears one record: outside effects first (idempotent), then one `async with begin() as tx`, or none where there is
nothing to do."""

NeverAgain: TypeAlias = Mapping[type[Event], str]
"""Facts a group never handles again at an operator's word, each with the reason: what ends in a deletion or changes a
tenant is done once, when it is said."""

Lane = Callable[[Event], str]
"""Names the lane of a fact; facts of one lane are handled in order, one at a time."""
