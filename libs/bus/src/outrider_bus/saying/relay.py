"""The outbox relay: carries rows to Kafka, in order per key, and deletes them once all replicas have them.

A row is sent again when its acknowledgement or its deletion was lost: consumers know ids, nothing is ever left out.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from outrider_bus import inbox, telemetry
from outrider_bus.kafka import KafkaAddress, make_producer
from outrider_bus.saying import outbox
from outrider_bus.saying.outbox import Said
from outrider_bus.saying.portions import is_large, portions
from outrider_bus.saying.routes import Routes
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_BATCH = 500
_LOOK_UP_SECONDS = 2.0
_TIDY_SECONDS = 60.0
_FAREWELL_SECONDS = 5.0


class Relay:
    """One per process; of a service's processes the one that holds the advisory lock works, the others stand by."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", address: KafkaAddress, *, service: str, timing: Timing
    ) -> None:
        self._pool = pool
        self._address = address
        self._service = service
        self._timing = timing
        self._wake = asyncio.Event()
        self._routes = Routes(self._look_up, cap=timing.unroutable_retry, opened=self._wake.set)
        self._producers: dict[bool, AIOKafkaProducer] = {}
        self._alone: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._making = asyncio.Lock()
        self._stopping = False
        self._last_tidy = 0.0
        self.active = False
        self.error = ""

    def start(self) -> None:
        """Begin; waits for Kafka and PostgreSQL by itself."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Carry what is there, then stop. What can't be carried in time stays in the outbox."""
        self._stopping = True
        self._wake.set()
        if self._task:
            _, late = await asyncio.wait([self._task], timeout=_FAREWELL_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._routes.stop()
        await self._drop_producers()

    async def _run(self) -> None:
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while not self._stopping:
            try:
                async with self._pool.acquire() as connection:
                    await self._relay(connection)
            except Exception as error:  # noqa: BLE001 - the rows are safe; say so once and try again
                self._trouble(repr(error))
                await asyncio.sleep(next(waits))
            finally:
                self.active = False

    async def _relay(self, connection: Any) -> None:
        while not await outbox.becomes_active(connection, frozen_seconds=self._timing.frozen):
            if self._stopping:
                return
            self._wake.clear()  # it may be set since we were the active one, and nobody else would clear it
            await self._rest()

        def wake(*_: object) -> None:
            self._wake.set()

        await connection.add_listener("bus_outbox", wake)
        try:
            self.active = True
            await self._carry(connection)
        finally:
            with suppress(asyncpg.InterfaceError, AttributeError):  # the pool may have taken a lost connection back
                await connection.remove_listener("bus_outbox", wake)
                connection._listeners.clear()  # else a lost connection keeps them, and warns of it

    async def _carry(self, connection: Any) -> None:
        while True:
            self._wake.clear()
            ours_until = time.monotonic() + self._timing.frozen
            rows = await outbox.next_rows(connection, without=self._routes.closed, limit=_BATCH)
            routed = [said for said in rows if self._routes.is_open(said.row.topic)]
            moved = await self._send(connection, routed, ours_until)
            await outbox.delete(connection, moved)
            nothing_waits = not rows and not self._routes.closed
            if len(moved) == len(routed) and (routed or nothing_waits):
                self.error = ""
            if len(rows) == _BATCH and (moved or len(routed) < len(rows)):
                continue
            if self._stopping:
                return
            await self._tidy(connection)
            await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self._timing.relay_poll)

    async def _send(self, connection: Any, rows: list[Said], ours_until: float) -> list[int]:
        """Send all, wait for all; gives what may be deleted: per key everything before the first failure.

        Past *ours_until* none is begun: another relay may have carried them meanwhile, and what was said later.
        """
        held: set[tuple[str, bytes | None]] = set()
        unposted: set[str] = set()
        """Topics of which a row could not be handed over: nothing goes after it that may belong behind it."""
        moved: list[int] = []
        unwell = ""
        for portion in portions(rows, self._alone):
            posted: list[tuple[Said, asyncio.Future[Any]]] = []
            for said in portion:
                if time.monotonic() > ours_until:
                    break
                if said.row.topic not in unposted and (said.row.topic, said.row.key) not in held:
                    posted.append((said, future := await self._post(said)))
                    if future.done() and (future.cancelled() or future.exception()):
                        unposted.add(said.row.topic)
            together = [said for said, _ in posted]
            results = await asyncio.gather(*[future for _, future in posted], return_exceptions=True)
            for said, result in zip(together, results, strict=True):
                key = (said.row.topic, said.row.key)
                if not isinstance(result, BaseException):
                    moved += [] if key in held else [said.seq]
                elif isinstance(result, MessageSizeTooLargeError) and len(together) == 1 and key not in held:
                    await self._set_aside(connection, said, result)
                else:
                    held |= {key} if said.row.key is not None else set()
                    unwell = self._refused(said, result) or unwell
        self._alone.difference_update(moved)
        if unwell:  # an idempotent producer may be wedged for good after a hiccup of the broker (aiokafka#1017)
            self._trouble(unwell)
            self._routes.forget()
            await self._drop_producers()
        return moved

    async def _post(self, said: Said) -> "asyncio.Future[Any]":
        row = said.row
        try:
            producer = await self._ready_producer(compress=is_large(said))
            future: asyncio.Future[Any] = await producer.send(
                row.topic, row.value, key=row.key, headers=list(row.headers)
            )
        except Exception as error:  # noqa: BLE001 - judged with the others, when all have been waited for
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return telemetry.sent(row, future)

    def _refused(self, said: Said, error: BaseException) -> str:
        """Remember what to do differently next time; gives what is wrong with the producer."""
        if isinstance(error, TopicAuthorizationFailedError | UnknownTopicOrPartitionError):
            self._routes.close(said.row.topic, repr(error))
            return ""
        if isinstance(error, MessageSizeTooLargeError):  # one of a batch, or all of it together: each by itself then
            self._alone.add(said.seq)
        return repr(error)

    async def _set_aside(self, connection: Any, said: Said, error: BaseException) -> None:
        _LOG.error("a record is larger than Kafka takes", topic=said.row.topic, event_id=said.row.id)
        await outbox.set_aside(connection, said.seq, repr(error))
        self._alone.discard(said.seq)

    def _trouble(self, error: str) -> None:
        if not self.error:
            _LOG.warning("relay waits", service=self._service, error=error)
        self.error = error

    async def _look_up(self, topic: str) -> None:
        producer = await self._ready_producer()
        await asyncio.wait_for(producer.partitions_for(topic), _LOOK_UP_SECONDS)

    async def _ready_producer(self, *, compress: bool = False) -> AIOKafkaProducer:
        if made := self._producers.get(compress):
            return made
        async with self._making:
            if compress not in self._producers:
                producer = make_producer(self._address, service=self._service, compress=compress)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producers[compress] = producer
            return self._producers[compress]

    async def _drop_producers(self) -> None:
        producers, self._producers = list(self._producers.values()), {}
        for producer in producers:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), _LOOK_UP_SECONDS)

    async def _tidy(self, connection: Any) -> None:
        due = time.monotonic() - self._last_tidy > _TIDY_SECONDS
        if due and not await inbox.forget(connection, self._timing.inbox_days):
            self._last_tidy = time.monotonic()
