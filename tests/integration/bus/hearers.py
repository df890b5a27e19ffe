"""Starts hearer processes and kills them; none outlives its test."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.bus.real_world import RealWorld

_ROOT = Path(__file__).parents[3]


class Hearers:
    """The processes of one world."""

    def __init__(self, world: RealWorld, how: str) -> None:
        self._world = world
        self._how = how
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> asyncio.subprocess.Process:
        """One more; returns once it has its partitions."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.bus.hearer",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=_ROOT,
        )  # fmt: skip
        self._processes.append(process)
        address = self._world.address
        orders = {
            "bootstrap": address.bootstrap_servers,
            "username": address.username,
            "password": address.password,
            "dsn": self._world.dsn,
            "group": self._world.group,
            "topic": self._world.topic,
            "how": self._how,
        }
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        async with asyncio.timeout(30):
            async for line in process.stdout:
                if line.strip() == b"hearing":
                    return process
        raise AssertionError("the hearer ended before it heard")

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """SIGKILL, and wait until it is gone."""
        process.send_signal(signal.SIGKILL)
        await process.wait()
        self._processes.remove(process)

    async def end(self) -> None:
        for process in list(self._processes):
            await self.kill(process)


@asynccontextmanager
async def hearers(world: RealWorld, how: str) -> AsyncIterator[Hearers]:
    made = Hearers(world, how)
    try:
        yield made
    finally:
        await made.end()
