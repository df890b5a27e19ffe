"""The service's HTTP side on a real socket over a real database, with callers by name instead of signed tokens."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import uvicorn
from lineage.adapters.postgres_graph import PostgresGraph
from lineage.adapters.postgres_history import PostgresHistory
from lineage.adapters.postgres_readers import PostgresReaders
from lineage.adapters.postgres_record import PostgresRecord
from lineage.api import Asking, graph_routes, page_routes, run_routes
from lineage.domain.fold import fold
from lineage.domain.names import Names
from outrider_bus.ports import Connection
from outrider_chassis.callers import Caller, Role
from outrider_chassis.database import Pool
from outrider_chassis.http import make_app
from outrider_chassis.teams import TeamsProjection
from outrider_chassis.tokens import KeySet, TokenRefused
from outrider_contracts.event import Event

NAMES = Names("airflow://test")


class NamedCallers:
    """ "platform" is the platform's operator, any other word a team's viewer, "nobody" refused."""

    async def verify(self, token: str) -> Caller:
        if token == "nobody":
            raise TokenRefused("the token is not signed by this platform")
        if token == "platform":
            return Caller("cli", Role.administrator)
        return Caller(f"team:{token}", Role.viewer, token)


@dataclass(frozen=True)
class Well:
    """A bus in good health."""

    alive: bool = True
    ready: bool = True
    detail: object = None


async def ingest(pool: Pool, events: list[Event]) -> None:
    """Have the events' rows."""
    async with pool.acquire() as connection, connection.transaction():
        await PostgresRecord(cast(Connection, connection)).merge(fold(NAMES, events))


@asynccontextmanager
async def served(pool: Pool) -> AsyncIterator[str]:
    """Address of the running application."""
    app = make_app("lineage", cast(KeySet, NamedCallers()), Well)
    asking = Asking(NAMES, PostgresGraph(pool), PostgresHistory(pool), TeamsProjection(pool), PostgresReaders(pool))
    for routes in (graph_routes(asking), run_routes(asking), page_routes()):
        app.include_router(routes)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110  uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
