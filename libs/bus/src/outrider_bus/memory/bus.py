"""The bus in memory, for tests of services: the same handlers, the same promises, no Kafka and no SQL.

One contract suite runs over this and over the real thing. What falls short: nothing runs at once, `connection` is not
there, an abandoned transaction leaves a memory adapter's state as it is, and time passes only by `retry_parked`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from outrider_contracts import topics as registry
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event

from outrider_bus.handling.again import Outcome
from outrider_bus.memory.database import MemoryDatabase
from outrider_bus.memory.groups import BatchGroup, Group, LaneGroup
from outrider_bus.ports import BatchHandler, Lane, LaneHandler, NeverAgain
from outrider_bus.records import Decoder, OutboxRow, RawHeaders, RawRecord, cloud_event


class MemoryBus:
    """Deliver facts to handlers and look at what they said: `records` and `dead_letters` would lie in Kafka."""

    def __init__(self, *, service: str = "test", tries: int = 5) -> None:
        self.database = MemoryDatabase(f"/outrider/{service}")
        self.log: list[RawRecord] = []
        self._dead_letters = registry.dead_letters(service)
        self._tries = tries
        self._groups: list[Group] = []

    def lanes(
        self,
        *,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[type[Event], LaneHandler],
        lane: Lane,
        concurrency: int = 32,  # noqa: ARG002 - one at a time here
        decode: Decoder = cloud_event,
        never_again: NeverAgain = MappingProxyType({}),
    ) -> None:
        """As `Bus.lanes`."""
        made = LaneGroup(
            group, topics, "", decode, never_again, self.database, self._dead_letters, self._tries, handlers, lane
        )
        self._groups.append(made)

    def batches(
        self,
        *,
        group: str,
        types: Collection[type[Event]],
        handler: BatchHandler,
        topics: Sequence[str] = (),
        pattern: str = "",
        decode: Decoder = cloud_event,
        max_records: int = 500,
        never_again: NeverAgain = MappingProxyType({}),
    ) -> None:
        """As `Bus.batches`."""
        made = BatchGroup(
            group, topics, pattern, decode, never_again, self.database, self._dead_letters, self._tries,
            frozenset(types), handler, max_records,
        )  # fmt: skip
        self._groups.append(made)

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def deliver(self, *events: Event, traceparent: str = "") -> None:
        """Bring facts to all who hear their topics, as one batch, and wait until they are worked off."""
        spelt = [encode(event, source="/test", traceparent=traceparent) for event in events]
        await self._append([self._record(r.topic, r.key.encode(), r.value, r.headers) for r in spelt])

    async def deliver_raw(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, headers: RawHeaders = ()
    ) -> None:
        """Bring a record as somebody else may write it."""
        await self._append([self._record(topic, key, value, headers)])

    async def redeliver(self) -> None:
        """Deliver everything so far once more, from where it lies: what a rebalance or a crash may do at any time."""
        for group in self._groups:
            group.feed(self.log)
        await self.go_on()

    async def go_on(self) -> None:
        """Try again what waits for an outside system."""
        for group in self._groups:
            await group.work()

    async def handle_again(self, group: str, record: RawRecord, *, scope: str) -> Outcome:
        """Have the group called *group* handle *record* once more; what was delivered is in `log`."""
        [found] = [each for each in self._groups if each.name == group]
        return await found.handle_again(record, scope=scope)

    async def retry_parked(self) -> None:
        """Let the time pass after which each sick lane tries its first record again."""
        for group in self._groups:
            await group.retry_parked()

    def records(self, topic: str) -> list[OutboxRow]:
        """What lies in a topic because of us: facts, team copies, raw records, dead letters."""
        return [row for row in self.database.rows.values() if row.topic == topic]

    @property
    def dead_letters(self) -> list[OutboxRow]:
        """Records that were given up."""
        return self.records(self._dead_letters)

    @property
    def waiting(self) -> int:
        """How many records wait because an outside system is away."""
        return sum(len(group.pending) for group in self._groups)

    def _record(self, topic: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> RawRecord:
        return RawRecord(topic, 0, 0, datetime.now(UTC), key, value, tuple(headers))

    async def _append(self, records: Sequence[RawRecord]) -> None:
        placed = [record._replace(offset=len(self.log) + n) for n, record in enumerate(records)]
        self.log += placed
        for group in self._groups:
            group.feed(placed)
        await self.go_on()
