"""What every HTTP interface here shares: who calls, how a no is spelt, and whether the service is healthy."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

import asyncpg
import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import attach, detach
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from outrider_bus.ports import UnavailableError
from outrider_contracts.http import Problem
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from outrider_chassis.callers import Caller, Role
from outrider_chassis.tokens import KeySet, TokenRefused

__all__ = ["Caller", "CurrentCaller", "ProblemError", "Role", "admit", "caller", "make_app", "require", "verify_with"]


_W3C = TraceContextTextMapPropagator()
_log = structlog.stdlib.get_logger(__name__)


class ProblemError(Exception):
    """An answer that is a no: what happened and what to do next."""

    def __init__(self, status: int, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.status, self.problem = status, Problem(code=code, message=message, fix=fix)


class Healthy(Protocol):
    """How something stands."""

    @property
    def alive(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    @property
    def detail(self) -> object: ...


Admits = Callable[[str], Awaitable[bool]]
"""Says whether a team may be served at all (a suspended one may not)."""


async def caller(request: Request) -> Caller:
    """FastAPI dependency: the verified caller. Answers 401 without a good token, 403 for a suspended team."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        fix = "send Authorization: Bearer <token from POST /v1/token>"
        raise ProblemError(401, "unauthenticated", "the request carries no token", fix)
    keys: KeySet = request.app.state.keys
    try:
        found = await keys.verify(token)
    except TokenRefused as refusal:
        raise ProblemError(401, "unauthenticated", str(refusal), "get a new token from POST /v1/token") from None
    admits: Admits | None = request.app.state.admits
    if found.team is not None and admits is not None and not await admits(found.team):
        raise ProblemError(403, "team_suspended", f"team {found.team} is not active", "ask the platform's operators")
    return found


CurrentCaller = Annotated[Caller, Depends(caller)]


def require(caller: Caller, role: Role, team: str | None = None) -> None:
    """Answer 403 unless *caller* has at least *role*, for *team* (None: for the platform as a whole)."""
    if not caller.may(role, team):
        whose = "the platform" if team is None else f"team {team}"
        message = f"{caller.subject} may not act as {role.name} for {whose}"
        raise ProblemError(403, "forbidden", message, f"use a client with role {role.name}")


def verify_with(app: FastAPI, keys: KeySet) -> None:
    """Verify callers of *app* with *keys*."""
    app.state.keys = keys


def admit(app: FastAPI, admits: Admits) -> None:
    """Refuse callers of teams that *admits* says no to."""
    app.state.admits = admits


def make_app(name: str, keys: KeySet, health: Callable[[], Healthy]) -> FastAPI:
    """An application with health routes and problem answers; routes are added by the service."""
    # FastAPI makes a span of each request where the process has a tracer, and reads `traceparent`
    spans = TelemetryConfig(metrics=False, logs=False, operation_spans=False, exclude=_is_looked_at_often)
    app = FastAPI(title=f"outrider {name}", docs_url="/docs", redoc_url=None, telemetry=spans)
    app.state.keys, app.state.admits = keys, None
    app.add_middleware(_GoesOn)

    @app.get("/health/live", include_in_schema=False)
    async def live() -> JSONResponse:
        now = health()
        return JSONResponse({"alive": now.alive}, 200 if now.alive else 503)

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        now = health()
        return JSONResponse({"ready": now.ready, "detail": now.detail}, 200 if now.ready else 503)

    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> JSONResponse:
        return _answer(error.status, error.problem)

    @app.exception_handler(UnavailableError)
    async def unavailable(_: Request, error: UnavailableError) -> JSONResponse:
        return _answer(503, Problem(code="unavailable", message=str(error), fix="try again shortly"))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, Problem(code=f"http_{error.status_code}", message=str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        return _answer(422, Problem(code="invalid_request", message=faults, fix=f"see {app.docs_url}"))

    @app.exception_handler(asyncpg.DataError)
    async def unstorable(request: Request, error: asyncpg.DataError) -> JSONResponse:
        _log.warning("the database can't hold what was sent", path=request.url.path, error=type(error).__name__)
        what = "the request holds what no database can hold: NUL in a text, or a number out of range"
        return _answer(422, Problem(code="invalid_request", message=what, fix="leave it out"))

    return app


class _GoesOn:
    """ASGI middleware: what is said for a request goes on in the trace it names, also where no spans are made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or get_current_span().get_span_context().is_valid:
            await self._app(scope, receive, send)
            return
        token = attach(_W3C.extract({"traceparent": Headers(scope=scope).get("traceparent", "")}))
        try:
            await self._app(scope, receive, send)
        finally:
            detach(token)


def _is_looked_at_often(scope: Scope) -> bool:
    return str(scope.get("path", "")).startswith(("/health/", "/metrics"))


def _answer(status: int, problem: Problem) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": problem.model_dump(mode="json")}, status, headers)
