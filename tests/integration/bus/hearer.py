"""A process that hears, to be killed: `python -m tests.integration.bus.hearer` with its orders as JSON on stdin."""

import asyncio
import json
import sys

from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress

from tests.integration.bus.real_world import QUICK, open_pool
from tests.integration.bus.workload import declare


async def hear(*, bootstrap: str, username: str, password: str, dsn: str, group: str, topic: str, how: str) -> None:
    pool = await open_pool(dsn)
    bus = Bus(service=group, kafka=KafkaAddress(bootstrap, username, password), pool=pool, timing=QUICK)
    declare(bus, how, group=group, topic=topic)
    await bus.start()
    print("hearing", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hear(**json.loads(sys.stdin.readline())))
