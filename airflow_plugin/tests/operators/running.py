"""Runs operators as Airflow's task runner does, without Airflow's database."""

import contextvars
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import DAG, BaseOperator, Context
from airflow.sdk.bases.operator import ExecutorSafeguard
from airflow.sdk.execution_time.context import OutletEventAccessors
from operators.stand_in import StandIn

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def outrider_connection(storage: StandIn) -> str:
    """The team's connection to *storage*, where a task process looks first: for `AIRFLOW_CONN_OUTRIDER`."""
    url, _, port = storage.access.url.removeprefix("http://").partition(":")
    return json.dumps({
        "conn_type": "http", "host": url, "port": int(port), "login": "team-ads", "password": "s3cret",
        "extra": {"token_url": storage.access.token_url},
    })  # fmt: skip


def context(task: BaseOperator, map_index: int = -1, **params: object) -> Context:
    """What Airflow gives to `execute`."""
    run = SimpleNamespace(run_id="r", dag_id="daily", start_date=NOW, run_after=NOW, logical_date=NOW, team_name="ads")
    instance = SimpleNamespace(
        dag_id="daily", run_id="r", task_id=task.task_id, map_index=map_index, try_number=1, task=task,
        _ti_context_from_server=SimpleNamespace(dag_run=run),
    )  # fmt: skip
    given = {**dict(task.params), **params}
    told = {"ti": instance, "dag_run": run, "params": given, "outlet_events": OutletEventAccessors()}
    return cast("Context", told)


def execute(task: BaseOperator, given: Context | None = None, **more: Any) -> Any:
    """As Airflow's task runner does."""
    frame = contextvars.copy_context()
    frame.run(ExecutorSafeguard.tracker.set, task)
    return frame.run(task.execute, given or context(task, **more))


def resume(task: BaseOperator, method: str, event: Mapping[str, Any]) -> Any:
    """As Airflow's task runner does when the trigger has fired."""
    return task.resume_execution(method, {"event": event}, context(task))


def dag() -> DAG:
    """The DAG all are in."""
    return DAG("daily", schedule=None)
