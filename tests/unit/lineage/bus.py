"""A transaction that writes down what is said in it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from outrider_bus.ports import Connection, Heard, Origin
from outrider_contracts.envelope import Envelope
from outrider_contracts.event import Event


def heard(*events: Event) -> list[Heard[Event]]:
    """The events as the bus hands them over."""
    moment = datetime(2026, 11, 2, tzinfo=UTC)
    return [
        Heard(event, Envelope(event.id, event.type, "/test"), Origin("test", 0, at, moment))
        for at, event in enumerate(events)
    ]


@dataclass
class WrittenTx:
    """What was said: facts, and raw records by topic."""

    facts: list[Event] = field(default_factory=list)
    raw: list[tuple[str, str, dict[str, Any], str]] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return cast(Connection, None)

    async def say(self, *events: Event, cause: Heard[Event] | None = None, team_copies: bool = False) -> None:
        self.facts += events

    async def say_raw(self, topic: str, key: str, value: bytes, headers: dict[str, str], id: str) -> None:
        self.raw.append((topic, key, json.loads(value), id))

    def said(self, topic: str = "outrider.lineage.v1") -> list[dict[str, Any]]:
        """The OpenLineage events said on *topic*."""
        return [value for to, _, value, _ in self.raw if to == topic]
