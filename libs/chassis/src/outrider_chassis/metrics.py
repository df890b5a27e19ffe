"""`/metrics` for Prometheus: how the bus is, what waits in the database, and how requests went.

Read when it is asked for, so that work pays nothing for it but its own counters.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

import asyncpg
from fastapi import FastAPI, Request, Response
from outrider_bus.backlog import Backlog, backlog
from outrider_bus.bus import Bus
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outrider_chassis.bus_metrics import of_groups
from outrider_chassis.database import Pool

_PATIENCE_SECONDS = 2.0


class Metrics:
    """What one service shows. `gauge` adds a number of its own."""

    def __init__(self, bus: Bus, pool: Pool, *, look_again_seconds: float = 5.0) -> None:
        self.registry = CollectorRegistry()
        self._waiting = _Waiting(bus, pool, look_again_seconds)
        for collector in (_Groups(bus), self._waiting):
            self.registry.register(collector)
        ProcessCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self.requests = Counter("outrider_http_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "outrider_http_request_seconds", "Until an answer began.", labels[:2], registry=self.registry
        )

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show what *read* gives, under *name*."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    async def text(self) -> bytes:
        """All of it as Prometheus reads it; never waits long, whatever is away."""
        await self._waiting.look()
        return generate_latest(self.registry)

    def serve_at(self, app: FastAPI) -> None:
        """Count the requests of *app* and answer `/metrics` there, like `/health` to anybody."""
        app.add_middleware(_Counted, metrics=self)

        @app.get("/metrics", include_in_schema=False)
        async def metrics(_: Request) -> Response:
            return Response(await self.text(), headers={"content-type": CONTENT_TYPE_LATEST})


class _Groups(Collector):
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def collect(self) -> Iterable[Metric]:
        return of_groups(self._bus.groups.values())


class _Waiting(Collector):
    """Looked up every *look_again* seconds at most; where the database does not answer, its numbers are left out."""

    def __init__(self, bus: Bus, pool: Pool, look_again: float) -> None:
        self._bus, self._pool, self._look_again = bus, pool, look_again
        self._found: Backlog | None = None
        self._looked_at = float("-inf")

    async def look(self) -> None:
        if time.monotonic() - self._looked_at < self._look_again:
            return
        self._looked_at = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._pool.acquire() as connection:
                self._found = await backlog(connection)  # type: ignore[arg-type]  # a pool's proxy of a connection
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self._found = None

    def collect(self) -> Iterator[Metric]:
        found = self._found
        yield _gauge("database_answers", "1 where the service's database answered lately.", found is not None)
        yield _gauge("relay_active", "1 where this process carries the outbox to Kafka.", self._bus.is_relaying)
        if found is None:
            return
        yield _gauge("outbox_records", "Records said and not yet in Kafka.", found.waiting)
        yield _gauge("outbox_age_seconds", "For how long the oldest of them has waited.", found.age)
        yield _gauge("outbox_stuck_records", "Records that Kafka will never take.", found.stuck)
        lanes = GaugeMetricFamily("outrider_bus_parked_keys", "Sick lanes, by group.", labels=["group"])
        records = GaugeMetricFamily("outrider_bus_parked_records", "Records they hold.", labels=["group"])
        for group in {*self._bus.groups, *found.parked}:
            count, held = found.parked.get(group, (0, 0))
            lanes.add_metric([group], count)
            records.add_metric([group], held)
        yield lanes
        yield records


class _Counted:
    """ASGI middleware: method, route as declared (never the path as sent), status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")
                self._metrics.requests.labels(scope["method"], route, message["status"]).inc()
                self._metrics.seconds.labels(scope["method"], route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"outrider_bus_{name}", meaning, value=float(value))
