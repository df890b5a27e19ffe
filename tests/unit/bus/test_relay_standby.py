"""A relay that another one has taken over from: it looks now and then whether it is needed again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from outrider_bus.kafka import KafkaAddress
from outrider_bus.saying.relay import Relay
from outrider_bus.timing import Timing


class Sessions:
    """A pool whose first session has the lock and is lost while rows are said; meanwhile another relay takes it."""

    def __init__(self) -> None:
        self.looks = 0
        self._listeners: set[object] = set()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Sessions"]:
        yield self

    async def fetchval(self, *_: object) -> bool:
        self.looks += 1
        await asyncio.sleep(0)
        return self.looks == 1

    async def execute(self, *_: object) -> None:
        """Nobody is frozen."""

    async def add_listener(self, _channel: str, heard: Callable[[], None]) -> None:
        self._heard = heard

    async def remove_listener(self, *_: object) -> None:
        """It is lost anyway."""

    async def fetch(self, *_: object) -> list[object]:
        self._heard()
        raise asyncpg.ConnectionDoesNotExistError("terminated")


async def test_a_relay_that_lost_its_lock_while_it_was_called_rests_between_two_looks() -> None:
    """Nobody answers that call any more."""
    pool = Sessions()
    timing = Timing(outage_first=0.001, outage_cap=0.001, relay_poll=60)
    relay = Relay(cast("Any", pool), KafkaAddress("nowhere"), service="s", timing=timing)

    relay.start()
    async with asyncio.timeout(5):
        while pool.looks < 2:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
    for _ in range(100):
        await asyncio.sleep(0)

    assert pool.looks == 2
    await relay.stop()
