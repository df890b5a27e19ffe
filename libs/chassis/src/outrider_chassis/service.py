"""How a service lives: resources open, the service wires itself, it serves until SIGTERM, then drains."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from outrider_bus import MIGRATIONS as BUS_MIGRATIONS
from outrider_bus import telemetry
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress

from outrider_chassis import collector
from outrider_chassis.database import Pool, open_pool
from outrider_chassis.http import make_app
from outrider_chassis.logs import configure_logging
from outrider_chassis.metrics import Metrics
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_chassis.operations import letter_routes, parked_routes
from outrider_chassis.replays import replay_routes
from outrider_chassis.settings import ServiceSettings, secret
from outrider_chassis.tokens import KeySet
from outrider_chassis.tracing import tracer_provider

S = TypeVar("S", bound=ServiceSettings)
_log = structlog.stdlib.get_logger(__name__)


@dataclass
class Resources(Generic[S]):
    """What a service is given to wire itself with. `background` runs beside it; `stack` closes after it."""

    settings: S
    pool: Pool
    bus: Bus
    app: FastAPI
    metrics: Metrics
    background: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)


def run(settings: S, *, name: str, migrations: Path, wire: Callable[[Resources[S]], Awaitable[None]]) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in hand and return."""
    configure_logging(name, format=settings.log_format, level=settings.log_level)
    asyncio.run(serve(settings, name=name, migrations=migrations, wire=wire))


async def serve(settings: S, *, name: str, migrations: Path, wire: Callable[[Resources[S]], Awaitable[None]]) -> None:
    """The same inside a running loop: open, migrate, wire, start the bus, serve HTTP, drain."""
    async with AsyncExitStack() as stack:
        _trace(name, stack)
        pool = await open_pool(settings.database_url, settings.database_password_file, size=settings.database_pool_size)
        stack.push_async_callback(pool.close)
        await migrate(pool, [("bus", BUS_MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS), (name, migrations)])
        bus = Bus(service=name, kafka=kafka_address(settings), pool=pool)
        app = make_app(name, KeySet(settings.issuer_url), bus.health)
        metrics = Metrics(bus, pool)
        metrics.serve_at(app)
        for routes in (parked_routes(bus), letter_routes(bus), replay_routes(bus, name)):
            app.include_router(routes)
        resources = Resources(settings, pool, bus, app, metrics, stack=stack)
        await wire(resources)
        host, port = settings.http_host, settings.http_port
        server = _Server(uvicorn.Config(app, host, port, log_config=None, access_log=False, lifespan="off"))
        with _stopped_by_signals(server):
            starting = asyncio.create_task(_start(bus, server))
            beside = [asyncio.create_task(_keep_running(work)) for work in resources.background]
            await server.serve()
        _log.info("service stopping")
        for task in (starting, *beside):
            task.cancel()
        await asyncio.wait((starting, *beside))
        try:
            if not starting.cancelled():
                starting.result()
        finally:  # also after a start that failed: the pool waits for what the bus holds of it
            await bus.stop()
    _log.info("service stopped")


def _trace(name: str, stack: AsyncExitStack) -> None:
    """Make spans where the environment asks for them; those of the last seconds are sent at the end."""
    if provider := tracer_provider(name):
        trace.set_tracer_provider(provider)
        telemetry.trace_with(trace.get_tracer("outrider"))
        stack.push_async_callback(asyncio.to_thread, provider.shutdown)


def kafka_address(settings: ServiceSettings) -> KafkaAddress:
    """The broker and the service's own user, as the settings say."""
    return KafkaAddress(settings.kafka_bootstrap_servers, settings.kafka_username, secret(settings.kafka_password_file))


async def _start(bus: Bus, server: uvicorn.Server) -> None:
    """Start hearing. HTTP is up meanwhile and says it is not ready; a start that fails ends the service."""
    try:
        await bus.start()
    except BaseException:
        server.should_exit = True
        raise
    collector.tune()
    _log.info("service started")


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process before it has drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _keep_running(work: Callable[[], Awaitable[None]]) -> None:
    """Run *work* again when it fails: work beside the service must not die silently, nor take the service along."""
    for attempt in range(1_000_000):
        try:
            await work()
        except Exception:  # noqa: BLE001  the one place that stands over background work: log it and go on
            _log.exception("background work failed", work=getattr(work, "__qualname__", repr(work)))
            await asyncio.sleep(min(30.0, 0.5 * 2 ** min(attempt, 6)) * random.uniform(0.5, 1.0))  # noqa: S311
        else:
            return
