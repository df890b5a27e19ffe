"""Transactions without SQL: what is said in one is kept when it ends well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from outrider_contracts.event import Event

from outrider_bus.ports import Connection, Heard, RefusedError
from outrider_bus.records import OutboxRow
from outrider_bus.saying.outgoing import Outgoing


class MemoryTx(Outgoing):
    """A transaction that keeps what was said when it is left without an error (or by RefusedError)."""

    @property
    def connection(self) -> Connection:
        raise NotImplementedError("the memory bus has no SQL; give the use case a memory adapter")


@dataclass
class MemoryDatabase:
    """Begins transactions; `rows` is everything that was said, in order, by topic and id."""

    source: str
    rows: dict[tuple[str, str], OutboxRow] = field(default_factory=dict)

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
        for row in tx.rows:
            self.rows.setdefault((row.topic, row.id), row)
