"""The pool of a service's own database, and the wait for a database that starts beside it."""

import asyncio
import time
from pathlib import Path
from typing import TypeAlias

import asyncpg
import structlog
from outrider_bus.database import SESSION

from outrider_chassis.settings import secret

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AWAY = (OSError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)
"""What connecting raises while PostgreSQL is not there yet."""

_log = structlog.stdlib.get_logger(__name__)


async def open_pool(url: str, password_file: Path | None, *, size: int = 10, patience_seconds: float = 60) -> Pool:
    """A pool on *url*, waiting up to *patience_seconds* for PostgreSQL to answer. Raises its last error after that."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await asyncpg.create_pool(
                url,
                password=secret(password_file) or None,
                min_size=1,
                max_size=size,
                command_timeout=60,
                server_settings=SESSION,
            )
        except AWAY as error:
            if time.monotonic() > deadline:
                raise
            _log.warning("database not there yet", error=type(error).__name__)
            await asyncio.sleep(0.5)
