"""What the bus promises to those who say and hear facts.

At least once: a record may be handled twice, its effects and the facts said because of it are kept once. Order is kept
per lane (KeyLanes) or per partition (BatchTx), except across a dead letter.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar

import asyncpg
from outrider_contracts.envelope import Envelope
from outrider_contracts.event import Event

E = TypeVar("E", bound=Event, covariant=True)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class RefusedError(Exception):
    """A business no: the handler has answered it with a fact. The record counts as done, never as a dead letter."""


class UnavailableError(Exception):
    """An outside system is away: the bus pauses, backs off and tries again for as long as it takes."""


class StaleEpochError(Exception):
    """Another worker has taken this work over: what was done here is not kept."""


@dataclass(frozen=True)
class Origin:
    """Where a record lies."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True)
class Heard(Generic[E]):
    """A fact with its attributes and its place in the log."""

    event: E
    envelope: Envelope
    origin: Origin


class Tx(Protocol):
    """One database transaction: effects, inbox and outbox stand or fall together."""

    @property
    def connection(self) -> Connection:
        """The transaction's connection. Do not commit on it."""

    async def say(self, *events: Event, cause: Heard[Event] | None = None, team_copies: bool = False) -> None:
        """Put facts into the outbox. `team_copies` puts a copy into the topic of the team that each one concerns."""

    async def say_raw(self, topic: str, key: str, value: bytes, headers: dict[str, str], id: str) -> None:
        """Put a record that is no event of ours (OpenLineage JSON) into the outbox, once per *id*."""


class Database(Protocol):
    """Begins transactions."""

    def begin(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction for work that no record caused (HTTP, timers)."""


Begin = Callable[[], AbstractAsyncContextManager[Tx]]
"""Begins the transaction of one record: it writes the inbox row too, so a redelivery finds the work done."""

BatchHandler = Callable[[Sequence[Heard[Event]], Tx], Awaitable[None]]
"""Hears records in partition order; effect and answers go through the given transaction."""

LaneHandler = Callable[[Heard[Event], Begin], Awaitable[None]]
"""Hears one record: outside effects first (idempotent), then exactly one `async with begin() as tx`."""

Lane = Callable[[Event], str]
"""Names the lane of a fact; facts of one lane are handled in order, one at a time."""
