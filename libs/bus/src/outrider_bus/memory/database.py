"""Transactions without SQL: what is said in one is kept when it ends well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from outrider_contracts.event import Event

from outrider_bus.ports import Connection, Heard, RefusedError
from outrider_bus.saying.outgoing import OutboxRow, Outgoing


class MemoryTx(Outgoing):
    """A transaction that keeps what was said when it is left without an error (or by RefusedError)."""

    @property
    def connection(self) -> Connection:
        raise NotImplementedError("the memory bus has no SQL; give the use case a memory adapter")


@dataclass
class MemoryDatabase:
    """Begins transactions; `rows` is everything that was said, in order, once per (topic, id)."""

    source: str
    rows: list[OutboxRow] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @asynccontextmanager
    async def begin(self, cause: Heard[Event] | None = None) -> AsyncIterator[MemoryTx]:
        tx = MemoryTx(self.source, cause)
        try:
            yield tx
        except RefusedError:
            self._keep(tx)
            raise
        self._keep(tx)

    def _keep(self, tx: MemoryTx) -> None:
        said = {(row.topic, row.id) for row in self.rows}
        new = {(row.topic, row.id): row for row in reversed(tx.rows) if (row.topic, row.id) not in said}
        self.rows += reversed(new.values())
        self.events += {event.id: event for event in tx.events if (event.topic, event.id) in new}.values()
