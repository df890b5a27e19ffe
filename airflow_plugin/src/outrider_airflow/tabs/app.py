"""The routes behind the tabs. Each has `{dag_id}` in its path and asks for the user's right to read that DAG."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from outrider_contracts.explain import Explanation, Subject, explain
from outrider_contracts.keys import RunKey

from outrider_airflow.settings import settings
from outrider_airflow.tabs.rights import Look, Looking, demanded
from outrider_airflow.tabs.services import Away, Services

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_FILES = {path.name: path for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_DEPTH = 3

RunId = Annotated[str, Query(min_length=1, max_length=250)]
TaskId = Annotated[str, Query(max_length=250)]
MapIndex = Annotated[str, Query(max_length=20, description="Airflow leaves `{MAP_INDEX}` where a task has none")]


@cache
def application() -> FastAPI:
    """The application the API server mounts, made once."""
    return make(Services(settings()))


def make(services: Services) -> FastAPI:
    """The application over *services*. It has no other routes than those that ask for rights: no docs, no schema."""
    app = FastAPI(title="outrider", openapi_url=None, docs_url=None, redoc_url=None)
    routes = APIRouter(prefix="/{dag_id}", dependencies=demanded())

    @routes.get("/environment")
    def environment() -> Response:
        return _file("environment.html")

    @routes.get("/lineage")
    def lineage() -> Response:
        return _file("lineage.html")

    @routes.get("/static/{name}")
    def static(name: str) -> Response:
        return _file(name) if name in _FILES else Response(status_code=404)

    @routes.get("/explanation")
    def explanation(look: Looking, run_id: RunId, task_id: TaskId = "", map_index: MapIndex = "") -> Explanation:
        """The story of the run, or of one task of it."""
        run = RunKey(team=look.team, dag_id=look.dag_id, run_id=run_id)
        index = _index(map_index) if task_id else None
        subject = Subject(**run.model_dump(), task_id=task_id or None, map_index=index)
        environments, told = services.environments(run, look.seen_by), services.run(run, look.seen_by)
        return explain(subject, environments, told, datetime.now(UTC))

    @routes.get("/history")
    def history(look: Looking, run_id: RunId, task_id: TaskId = "", map_index: MapIndex = "") -> dict[str, Any]:
        """What the run's tries read and wrote; of one task also what lies up- and downstream of it."""
        told = services.run(RunKey(team=look.team, dag_id=look.dag_id, run_id=run_id), look.seen_by)
        index = _index(map_index)
        tries = [
            one.model_dump(mode="json") for one in (told.tries if told else ())
            if one.task_id == (task_id or one.task_id) and one.map_index == (one.map_index if index is None else index)
        ]  # fmt: skip
        return {"tries": tries, **(_around(services, look, task_id) if task_id else {})}

    app.include_router(routes)

    @app.exception_handler(Away)
    def away(_: Request, error: Away) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503)

    return app


def _index(told: str) -> int | None:
    return int(told) if told.isdecimal() else None


def _around(services: Services, look: Look, task_id: str) -> dict[str, Any]:
    node = f"{look.team}/{look.dag_id}/{task_id}"
    return {way: services.graph(way, node, _DEPTH, look.seen_by) for way in ("upstream", "downstream")}


def _file(name: str) -> Response:
    path = _FILES[name]
    return FileResponse(path, media_type=f"{_TYPES[path.suffix]}; charset=utf-8", headers=_HEADERS)
