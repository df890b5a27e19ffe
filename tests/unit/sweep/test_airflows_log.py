"""Which runs Airflow's log says were to be deleted, whatever somebody sent."""

import json
from pathlib import Path

import httpx
import pytest
from outrider_chassis.airflow import AirflowApi
from sweep.adapters.airflow import RestAirflow

from tests.unit.sweep.world import at


@pytest.mark.parametrize(
    "entity", [{"dag_run_id": 7}, {"dag_run_id": {}}, {"dag_run_id": "r2", "dag_id": 7}, "r\0", "r\ud800", 7]
)
async def test_what_is_no_name_is_passed_over(tmp_path: Path, entity: object) -> None:
    """Airflow writes a request down before it looks at it; what no table takes would stop the sweep there for ever."""
    extra = json.dumps({"actions": [{"action": "delete", "entities": ["r1", entity]}]})
    entry = {"event": "bulk_dag_runs", "dag_id": "daily", "run_id": None, "extra": extra}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        return httpx.Response(200, json={"event_logs": [entry], "total_entries": 1})

    (tmp_path / "password").write_text("secret")
    async with AirflowApi(
        "http://airflow", "outrider", tmp_path / "password", transport=httpx.MockTransport(answer)
    ) as api:
        found = await RestAirflow(api).deletions(at(0), "")

    assert found.items == (("daily", "r1"),)
