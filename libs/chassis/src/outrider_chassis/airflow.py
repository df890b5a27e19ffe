"""Asks Airflow's REST API (`/api/v2`, Airflow 3.3) about runs and task instances. Reads only.

Whoever can't be asked is *unavailable*, never gone: `None` is answered only where Airflow itself said that it has no
such run. Everything else that is no answer raises UnavailableError: refused connections, 5xx, a 404 of a proxy.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from outrider_bus.ports import UnavailableError
from pydantic import ValidationError

from outrider_chassis.airflow_rows import (
    ENDED_RUN_STATES,
    ENDED_TASK_STATES,
    OPEN_RUN_STATES,
    LogEntry,
    Page,
    Run,
    T,
    TaskInstance,
)

__all__ = ["ENDED_RUN_STATES", "ENDED_TASK_STATES", "OPEN_RUN_STATES", "AirflowApi", "Page", "Run", "TaskInstance"]

PAGE = 100
"""Rows asked for at a time; Airflow's own upper bound (`[api] maximum_page_limit`) is 100 by default."""

_ALL = "~"
"""Airflow's word for all DAGs or runs, where a path asks for a list."""
_ABSENT = re.compile(r"(The )?(DagRun|Task Instance) with .* was not found$", re.DOTALL)


class AirflowApi:
    """A client of one Airflow, logged in as one user. Every method raises UnavailableError where Airflow is away."""

    def __init__(
        self,
        base_url: str,
        username: str,
        password_file: Path,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._username = username
        self._password_file = password_file
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"), timeout=timeout_seconds, transport=transport, trust_env=False
        )
        self._token = ""
        self._renewal = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def run(self, dag_id: str, run_id: str) -> Run | None:
        """The run, or None where Airflow says that it has no such run."""
        answer = await self._get(f"/api/v2/dags/{_segment(dag_id)}/dagRuns/{_segment(run_id)}")
        if answer is None:
            return None
        found = _read(Run, answer)
        if (found.dag_id, found.run_id) != (dag_id, run_id):
            raise UnavailableError(f"Airflow was asked for {dag_id}/{run_id} and told of {found.dag_id}/{found.run_id}")
        return found

    async def runs_page(
        self,
        *,
        cursor: str = "",
        updated_since: datetime | None = None,
        states: Collection[str] = (),
        dag_id: str = _ALL,
    ) -> Page[Run]:
        """One page of runs, ordered by Airflow's row id; begin with an empty cursor."""
        return await self._page(
            Run, f"/api/v2/dags/{_segment(dag_id)}/dagRuns", "dag_runs", cursor, updated_since, states
        )

    def runs(
        self, *, updated_since: datetime | None = None, states: Collection[str] = (), dag_id: str = _ALL
    ) -> AsyncIterator[Run]:
        """All such runs, page by page."""
        return _all(lambda c: self.runs_page(cursor=c, updated_since=updated_since, states=states, dag_id=dag_id))

    async def task_instances_page(
        self,
        *,
        cursor: str = "",
        updated_since: datetime | None = None,
        states: Collection[str] = (),
        dag_id: str = _ALL,
        run_id: str = _ALL,
        task_id: str | None = None,
    ) -> Page[TaskInstance]:
        """One page of task instances, ordered by Airflow's row id; empty where there is no such run."""
        path = f"/api/v2/dags/{_segment(dag_id)}/dagRuns/{_segment(run_id)}/taskInstances"
        more = {} if task_id is None else {"task_id": task_id}
        return await self._page(TaskInstance, path, "task_instances", cursor, updated_since, states, more)

    async def task_instances(
        self, dag_id: str, run_id: str, *, states: Collection[str] = (), task_id: str | None = None
    ) -> AsyncIterator[TaskInstance]:
        """All task instances of one run (of one task: every map index), page by page; none where there is no run.

        A run may be called `~` (no DAG may), which asks for all runs of its DAG: of those only its own are given.
        """
        if dag_id == _ALL:
            return
        async for one in _all(
            lambda c: self.task_instances_page(cursor=c, states=states, dag_id=dag_id, run_id=run_id, task_id=task_id)
        ):
            if run_id != _ALL or one.run_id == run_id:
                yield one

    def task_instances_updated(self, since: datetime, *, states: Collection[str] = ()) -> AsyncIterator[TaskInstance]:
        """All task instances of all runs whose row changed at *since* or later, page by page."""
        return _all(lambda c: self.task_instances_page(cursor=c, updated_since=since, states=states))

    async def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> tuple[TaskInstance, ...]:
        """Every try of one task instance that Airflow remembers, the present one included; none where there is none."""
        path = f"/api/v2/dags/{_segment(dag_id)}/dagRuns/{_segment(run_id)}/taskInstances/{_segment(task_id)}"
        answer = await self._get(f"{path}/{map_index}/tries" if map_index >= 0 else f"{path}/tries")
        return () if answer is None else tuple(_read(TaskInstance, row) for row in _rows(answer, "task_instances"))

    async def log_page(self, *, events: Collection[str], since: datetime, cursor: str = "") -> Page[LogEntry]:
        """One page of Airflow's log of what people and programs had it do, the oldest first."""
        begin = int(cursor or 0)
        asked: dict[str, str | int | list[str]] = {
            "included_events": sorted(events), "after": since.astimezone(UTC).isoformat(), "order_by": "event_log_id",
            "limit": PAGE, "offset": begin,
        }  # fmt: skip
        response = await self._send("/api/v2/eventLogs", asked)
        rows = tuple(_read(LogEntry, row) for row in _rows(_json(response) or {}, "event_logs"))
        return Page(rows, str(begin + PAGE) if len(rows) == PAGE else None, _clock(response))

    async def _page(
        self,
        kind: type[T],
        path: str,
        field: str,
        cursor: str,
        updated_since: datetime | None,
        states: Collection[str],
        more: Mapping[str, str] | None = None,
    ) -> Page[T]:
        parameters: dict[str, str | int | list[str]] = {
            "cursor": cursor,
            "limit": PAGE,
            "order_by": "id",
            **(more or {}),
        }
        if updated_since is not None:
            parameters["updated_at_gte"] = updated_since.astimezone(UTC).isoformat()
        if states:
            parameters["state"] = sorted(states)
        response = await self._send(path, parameters)
        answer = _json(response)
        if answer is None:
            return Page((), None, _clock(response))
        rows = tuple(_read(kind, row) for row in _rows(answer, field))
        following = answer.get("next_cursor")
        return Page(rows, following if isinstance(following, str) and rows else None, _clock(response))

    async def _get(self, path: str) -> dict[str, object] | None:
        return _json(await self._send(path, {}))

    async def _send(self, path: str, parameters: Mapping[str, str | int | list[str]]) -> httpx.Response:
        try:
            used = self._token or await self._renew("")
            response = await self._client.get(path, params=parameters, headers={"Authorization": f"Bearer {used}"})
            if response.status_code == httpx.codes.UNAUTHORIZED:
                renewed = await self._renew(used)
                response = await self._client.get(
                    path, params=parameters, headers={"Authorization": f"Bearer {renewed}"}
                )
        except httpx.HTTPError as error:
            raise UnavailableError(f"Airflow at {self._client.base_url} does not answer: {error!r}") from error
        return response

    async def _renew(self, used: str) -> str:
        """Log in, unless another call did so since *used* was refused."""
        async with self._renewal:
            if self._token and self._token != used:
                return self._token
            password = await asyncio.to_thread(self._password_file.read_text)
            response = await self._client.post(
                "/auth/token", json={"username": self._username, "password": password.strip()}
            )
            token = (_json(response) or {}).get("access_token")
            if not isinstance(token, str):
                raise UnavailableError(f"Airflow at {self._client.base_url} gave no token to {self._username!r}")
            self._token = token
            return token


async def _all(page: Callable[[str], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    cursor: str | None = ""
    while cursor is not None:
        got = await page(cursor)
        for item in got.items:
            yield item
        cursor = got.next


def _segment(value: str) -> str:
    """One path segment. Dots would climb: they may not come from a name."""
    return quote(value, safe="~") if value.strip(".") else value.replace(".", "%2E")


def _json(response: httpx.Response) -> dict[str, object] | None:
    """The body of a success; None where Airflow itself says that it has no such run or task instance.

    A DAG that was not found says nothing of its runs: they stay when its file goes.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    detail = body.get("detail") if isinstance(body, dict) else None
    if response.status_code == httpx.codes.NOT_FOUND and isinstance(detail, str) and _ABSENT.match(detail):
        return None
    raise UnavailableError(
        f"Airflow answered {response.status_code} to {response.request.url.path}: {str(detail)[:200]}"
    )


def _rows(answer: Mapping[str, object], field: str) -> list[object]:
    rows = answer.get(field)
    if not isinstance(rows, list):
        raise UnavailableError(f"Airflow's answer has no {field}")
    return rows


def _read(kind: type[T], row: object) -> T:
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        raise UnavailableError(f"Airflow's answer can't be read: {error}") from None


def _clock(response: httpx.Response) -> datetime:
    """Airflow's own clock, to the second; ours where it sends none."""
    stated = response.headers.get("date")
    return parsedate_to_datetime(stated).astimezone(UTC) if stated else datetime.now(UTC)
