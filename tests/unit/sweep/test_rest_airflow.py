"""Airflow's REST API as the sweep reads it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from outrider_chassis.airflow import AirflowApi
from sweep.adapters.airflow import RestAirflow

from tests.unit.sweep.world import at

TASK = {
    "task_id": "load", "dag_id": "daily", "dag_run_id": "r1", "map_index": -1, "run_after": "2026-11-01T12:00:00Z",
    "try_number": 1, "max_tries": 2, "end_date": "2026-11-01T12:00:02Z",
}  # fmt: skip


def airflow(tmp_path: Path, answer: Callable[[httpx.Request], dict[str, object]]) -> RestAirflow:
    def handle(request: httpx.Request) -> httpx.Response:
        given = {"access_token": "t"} if request.url.path == "/auth/token" else answer(request)
        return httpx.Response(200, json=given)

    (tmp_path / "password").write_text("secret")
    return RestAirflow(
        AirflowApi("http://airflow", "outrider", tmp_path / "password", transport=httpx.MockTransport(handle))
    )


@pytest.mark.parametrize(
    "entity", [{"dag_run_id": 7}, {"dag_run_id": {}}, {"dag_run_id": "r2", "dag_id": 7}, "r\0", "r\ud800", 7]
)
async def test_what_is_no_name_is_passed_over(tmp_path: Path, entity: object) -> None:
    """Airflow writes a request down before it looks at it; what no table takes would stop the sweep there for ever."""
    extra = json.dumps({"actions": [{"action": "delete", "entities": ["r1", entity]}]})
    entry = {"event": "bulk_dag_runs", "dag_id": "daily", "run_id": None, "extra": extra}

    found = await airflow(tmp_path, lambda _: {"event_logs": [entry], "total_entries": 1}).deletions(at(0), "")

    assert found.items == (("daily", "r1"),)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_try_that_is_up_for_retry_is_none_that_failed(tmp_path: Path, waits: bool) -> None:
    """Of a task that waits for its retry Airflow lists the history alone, which says `failed`, in no order."""
    history = [{**TASK, "try_number": number, "state": "failed"} for number in (2, 1)]

    def answer(request: httpx.Request) -> dict[str, object]:
        if request.url.path.endswith("/tries"):
            return {"task_instances": history, "total_entries": 2}
        rows = [{**TASK, "map_index": 0, "state": "up_for_retry"}]
        if waits:
            rows.append({**TASK, "try_number": 2, "state": "up_for_retry"})
        return {"task_instances": rows, "next_cursor": None}

    found = airflow(tmp_path, answer).tries(("daily", "r1"), ("daily", "r1", "load", -1))

    last = "up_for_retry" if waits else "failed"
    assert [(each.try_number, each.state) async for each in found] == [(1, "failed"), (2, last)]
