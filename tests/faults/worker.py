"""A process that hears, to be killed. It runs until it is told to leave (SIGTERM)."""

import asyncio
import logging
import signal
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from outrider_bus.bus import Bus
from outrider_bus.database import SESSION
from outrider_bus.kafka import KafkaAddress

from tests.faults.steps import PASSAGES, SteppedConnection, step_through_kafka
from tests.faults.workload import declare
from tests.integration.bus.real_world import QUICK


@dataclass(frozen=True)
class Orders:
    """Where to work, how, and where to fall."""

    address: KafkaAddress
    dsn: str
    group: str
    topic: str
    how: str
    when: str = ""
    act: str = ""
    nth: int = 1
    sign: int = signal.SIGKILL


def main(orders: Orders, pipe: Any) -> None:
    """What the new process does."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    PASSAGES.pipe, PASSAGES.when, PASSAGES.act = pipe, orders.when, orders.act
    PASSAGES.nth, PASSAGES.sign = orders.nth, orders.sign
    step_through_kafka()
    asyncio.run(_hear(orders))


async def _hear(orders: Orders) -> None:
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    pool = await _open_pool(orders.dsn)
    bus = Bus(service=orders.group, kafka=orders.address, pool=pool, timing=QUICK)
    declare(bus, orders.how, group=orders.group, topic=orders.topic, pool=pool)
    await bus.start()
    PASSAGES.tell("hearing")
    await leave.wait()
    await bus.stop()
    pool.terminate()


async def _open_pool(dsn: str) -> "asyncpg.Pool[asyncpg.Record]":
    while True:
        try:
            return await asyncpg.create_pool(
                dsn, min_size=1, max_size=10, connection_class=SteppedConnection,
                server_settings=dict.fromkeys(SESSION, "4s"),
            )  # fmt: skip
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # away, as things are here
            await asyncio.sleep(0.2)
