"""Airflow's word as storage reads it from the REST API."""

from pathlib import Path

import httpx
import pytest
from outrider_bus.ports import UnavailableError
from outrider_chassis.airflow import AirflowApi
from outrider_contracts.keys import RunKey, TaskKey
from storage.adapters.rest_airflow import RestAirflow

RUN = RunKey(team="ads", dag_id="daily", run_id="r1")
ROW = {"dag_id": "daily", "dag_run_id": "r1", "run_type": "manual", "run_after": "2026-11-01T00:00:00Z",
       "start_date": "2026-11-01T00:00:01.5Z"}  # fmt: skip


def airflow(tmp_path: Path, *, run: httpx.Response, instances: list[dict[str, object]]) -> RestAirflow:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        if request.url.path.endswith("/taskInstances"):
            wanted = request.url.params.get_list("state")
            rows = [one for one in instances if not wanted or one["state"] in wanted]
            return httpx.Response(200, json={"task_instances": rows, "total_entries": len(rows)})
        return run

    password = tmp_path / "password"
    password.write_text("secret")
    return RestAirflow(AirflowApi("http://airflow", "outrider", password, transport=httpx.MockTransport(answer)))


def instance(map_index: int, state: str | None) -> dict[str, object]:
    row = {"dag_id": "daily", "dag_run_id": "r1", "task_id": "extract", "try_number": 1}
    return {**row, "map_index": map_index, "state": state}


async def test_a_run_is_as_live_as_its_tasks(tmp_path: Path) -> None:
    told = airflow(
        tmp_path,
        run=httpx.Response(200, json={**ROW, "state": "failed"}),
        instances=[instance(-1, "success"), instance(-1, "deferred"), instance(-1, None)],
    )

    run = await told.run(RUN)

    assert run is not None
    assert (run.ended, run.live_tasks, run.started_at and run.started_at.microsecond) == (True, 1, 500_000)


async def test_only_airflows_own_no_is_an_absence(tmp_path: Path) -> None:
    detail = "The DagRun with dag_id: `daily` and run_id: `r1` was not found"
    gone = airflow(tmp_path, run=httpx.Response(404, json={"detail": detail}), instances=[])
    proxy = airflow(tmp_path, run=httpx.Response(404, text="not here"), instances=[])
    broken = airflow(tmp_path, run=httpx.Response(500), instances=[])

    assert await gone.run(RUN) is None
    for unsure in (proxy, broken):
        with pytest.raises(UnavailableError):
            await unsure.run(RUN)


async def test_parts_are_the_indexes_airflow_holds_now(tmp_path: Path) -> None:
    ok = httpx.Response(200, json={**ROW, "state": "running"})
    mapped = airflow(tmp_path, run=ok, instances=[instance(1, "success"), instance(0, None), instance(2, "removed")])
    over_nothing = airflow(tmp_path, run=ok, instances=[instance(-1, "skipped")])
    plain = airflow(tmp_path, run=ok, instances=[instance(-1, "success")])

    assert await mapped.map_indexes(RUN, "extract") == [0, 1]
    assert await over_nothing.map_indexes(RUN, "extract") == []
    assert await plain.map_indexes(RUN, "extract") == [-1]


async def test_a_try_is_at_work_while_airflow_holds_that_very_number_live(tmp_path: Path) -> None:
    told = airflow(
        tmp_path,
        run=httpx.Response(200, json={**ROW, "state": "running"}),
        instances=[{**instance(0, "running"), "try_number": 2}, instance(1, "up_for_retry"), instance(2, "success")],
    )
    parts = [TaskKey(**RUN.model_dump(), task_id="extract", map_index=index) for index in range(3)]

    assert [await told.at_work(part.attempt(number)) for part in parts for number in (1, 2)] == [
        False, True, False, False, False, False,
    ]  # fmt: skip
