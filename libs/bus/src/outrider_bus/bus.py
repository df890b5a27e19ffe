"""The bus of one service: declare what it hears, start, say things in transactions, stop."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from outrider_contracts import topics as registry
from outrider_contracts.event import Event

from outrider_bus.counters import Counters
from outrider_bus.database import PostgresDatabase
from outrider_bus.groups import Group
from outrider_bus.handling.batches import BatchRunner, BatchTx
from outrider_bus.handling.lanes import KeyLanes
from outrider_bus.handling.shifts import LaneRunner
from outrider_bus.kafka import KafkaAddress, make_shell
from outrider_bus.operators.operations import Operations
from outrider_bus.operators.redrive import DeadLetters
from outrider_bus.ports import BatchHandler, Lane, LaneHandler, NeverAgain
from outrider_bus.reading.runner import Runner
from outrider_bus.reading.subscription import Subscription
from outrider_bus.records import Decoder, cloud_event
from outrider_bus.replay.replays import Replays
from outrider_bus.saying.relay import Relay
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_STALLED_SECONDS = 60.0
_ANYTHING: NeverAgain = MappingProxyType({})


@dataclass(frozen=True)
class Health:
    """`ready`: every group has its partitions and gets on with them. `alive`: polling goes on and no worker broke.

    `detail`: per group.
    """

    ready: bool
    alive: bool
    detail: dict[str, object] = field(default_factory=dict)


class Bus:
    """Everything a service says and hears. Dead letters of all its groups go to `outrider.dlq.<service>`."""

    def __init__(
        self,
        *,
        service: str,
        kafka: KafkaAddress,
        pool: "asyncpg.Pool[asyncpg.Record]",
        timing: Timing = Timing(),  # noqa: B008 - frozen
    ) -> None:
        self.database = PostgresDatabase(pool, service=service)
        self._service = service
        self._kafka = kafka
        self._timing = timing
        self._relay = Relay(pool, kafka, service=service, timing=timing)
        self._groups: dict[str, Group] = {}
        self.operations = Operations(self._groups, self.database, dead_letters=self._dead_letters)
        self.dead_letters = DeadLetters(self._groups, self.database, kafka, topic=self._dead_letters)
        self.replays = Replays(self._groups, self.database, kafka, service=service, timing=timing)
        self._shell = make_shell(kafka, service=service, timing=timing)
        self._running = False

    def lanes(
        self,
        *,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[type[Event], LaneHandler],
        lane: Lane,
        concurrency: int = 32,
        decode: Decoder = cloud_event,
        never_again: NeverAgain = _ANYTHING,
    ) -> None:
        """Hear *topics* record by record: in order per lane, up to *concurrency* lanes at once."""
        counters = Counters(group)
        work = KeyLanes(group, handlers, lane, decode, self.database, self._dead_letters, counters)

        def runner(progress: Callable[[], None]) -> Runner:
            return LaneRunner(work, concurrency=concurrency, timing=self._timing, progress=progress)

        reader = self._reader(counters, topics, "", runner)
        self._groups[group] = Group(
            group, tuple(topics), "", frozenset(handlers), never_again, decode, counters, reader,
            lane_handlers=handlers, lane=lane, at_once=concurrency,
        )  # fmt: skip

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
        never_again: NeverAgain = _ANYTHING,
    ) -> None:
        """Hear *topics*, or all that match *pattern*, in batches: one transaction for up to *max_records*."""
        counters = Counters(group)
        work = BatchTx(group, frozenset(types), handler, decode, self.database, self._dead_letters, counters)

        def runner(progress: Callable[[], None]) -> Runner:
            return BatchRunner(work, max_records=max_records, timing=self._timing, progress=progress)

        reader = self._reader(counters, topics, pattern, runner)
        self._groups[group] = Group(
            group, tuple(topics), pattern, frozenset(types), never_again, decode, counters, reader,
            batch_handler=handler, at_once=max_records,
        )  # fmt: skip

    @property
    def groups(self) -> Mapping[str, Group]:
        """What this service hears, by consumer group."""
        return self._groups

    async def start(self) -> None:
        """Start relay and subscriptions; returns once partitions are assigned, and waits for a Kafka that is away."""
        self._relay.start()
        self.replays.start()
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            for subscription in self._subscriptions:
                subscription.declare(self._shell)
            try:
                await self._shell.connect()
                await self._join()
            except (KafkaError, OSError, TimeoutError) as error:
                _LOG.warning("Kafka can't be reached or lacks a topic, waiting", error=repr(error))
                await self._shell.stop()
                self._shell = make_shell(self._kafka, service=self._service, timing=self._timing)
                await asyncio.sleep(next(waits))
            else:
                break
        for subscription in self._subscriptions:
            subscription.run()
        self._running = True

    async def _join(self) -> None:
        """Open all subscriptions; where one can't be opened the others' attempts have ended, too, when this raises."""
        joining = [asyncio.create_task(subscription.open()) for subscription in self._subscriptions]
        try:
            await asyncio.gather(*joining)
        finally:
            for task in joining:
                task.cancel()
            await asyncio.gather(*joining, return_exceptions=True)

    async def stop(self) -> None:
        """Drain: work in hand ends and is committed, what was said is carried to Kafka, then the groups are left."""
        self._running = False
        await self.replays.stop()
        await asyncio.gather(*(subscription.stop() for subscription in self._subscriptions))
        await self._shell.stop()
        await self._relay.stop()

    def health(self) -> Health:
        """How it is now."""
        subscriptions, counters = self._subscriptions, [group.counters for group in self._groups.values()]
        broken = [c for c in counters if c.broken]
        polling = all(s.seconds_since_poll < _STALLED_SECONDS for s in subscriptions)
        detail: dict[str, object] = {
            c.group: {
                "assigned": s.is_assigned,
                "partitions": len(s.assignment.partitions),
                "in_flight": s.assignment.in_flight,
                "watermark_age": round(s.assignment.watermark_age, 3),
                "paused": s.assignment.paused,
                "waiting": c.is_waiting,
                "skipped": c.skipped,
                "retries": c.retries,
                "parked_lanes": c.parked_lanes,
                "dead_letters": c.dead_letters,
                "removed_unread": c.removed_unread,
                "broken": c.broken,
            }
            for s, c in zip(subscriptions, counters, strict=True)
        }
        detail["relay"] = {"active": self._relay.active, "error": self._relay.error}
        return Health(
            ready=self._running and all(s.is_assigned and s.is_moving for s in subscriptions),
            alive=not broken and (polling or not self._running),
            detail=detail,
        )

    @property
    def is_relaying(self) -> bool:
        """Whether of all processes of the service this one carries the outbox to Kafka."""
        return self._relay.active

    @property
    def _subscriptions(self) -> list[Subscription]:
        return [group.subscription for group in self._groups.values()]

    @property
    def _dead_letters(self) -> str:
        return registry.dead_letters(self._service)

    def _reader(
        self, counters: Counters, topics: Sequence[str], pattern: str, runner: Callable[[Callable[[], None]], Runner]
    ) -> Subscription:
        group = counters.group
        if bool(topics) == bool(pattern):
            raise ValueError(f"group {group} needs either topics or a pattern")
        if group in self._groups:
            raise ValueError(f"group {group} is declared already")
        return Subscription(
            group=group, topics=topics, pattern=pattern, make_runner=runner, timing=self._timing, counters=counters
        )
