"""A service whose start fails ends, and lets go of what it holds."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from outrider_bus.bus import Health
from outrider_chassis import service


class Pool:
    """Closes once nobody holds a connection any more, as asyncpg's does."""

    def __init__(self) -> None:
        self.free = asyncio.Event()

    async def close(self) -> None:
        await self.free.wait()


class Bus:
    """Its relay holds a connection from the start to the stop; its start fails."""

    operations = dead_letters = replays = groups = None

    def __init__(self, *, pool: Pool, **_: object) -> None:
        self._pool = pool

    def health(self) -> Health:
        return Health(ready=False, alive=True)

    async def start(self) -> None:
        raise RuntimeError("this can't be heard")

    async def stop(self) -> None:
        self._pool.free.set()


class Server:
    """Serves nobody until it is told to end."""

    should_exit = False

    def __init__(self, *_: object) -> None:
        """Binds nothing."""

    async def serve(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn looks now and then, too
            await asyncio.sleep(0)


async def nothing(*_: object) -> None:
    """Nothing to wire, nothing to migrate."""


async def test_a_service_whose_start_fails_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for ever for the connection that its own relay holds."""
    pool = Pool()

    async def open_pool(*_: object, **__: object) -> Pool:
        return pool

    stands_for: dict[str, Callable[..., object]] = {
        "open_pool": open_pool, "migrate": nothing, "Bus": Bus, "_Server": Server,
        "Metrics": lambda *_: SimpleNamespace(serve_at=lambda _: None),
    }  # fmt: skip
    for name, stand_in in stands_for.items():
        monkeypatch.setattr(service, name, stand_in)
    settings: Any = SimpleNamespace(
        database_url="", database_password_file=None, database_pool_size=1, issuer_url="http://nowhere",
        kafka_bootstrap_servers="nowhere", kafka_username="", kafka_password_file=None, http_host="", http_port=0,
    )  # fmt: skip

    with pytest.raises(RuntimeError, match="can't be heard"):
        await asyncio.wait_for(service.serve(settings, name="s", migrations=Path(), wire=cast("Any", nothing)), 5)
