"""What a person does in Airflow's UI, over its REST API: unpause, trigger, look, clear, delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

ENDED = frozenset({"success", "failed"})
ATTEMPTS = 4
"""Airflow answers 500 where its request and its scheduler lock crosswise and PostgreSQL ends the request's
transaction. Nothing has happened then."""


@dataclass(frozen=True)
class TaskState:
    """One task instance as Airflow shows it."""

    task_id: str
    map_index: int
    state: str
    try_number: int

    @property
    def label(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowUser:
    """A person signed in to Airflow. Raises httpx.HTTPStatusError with Airflow's own words where it refuses."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @classmethod
    def sign_in(cls, base_url: str, username: str, password: str) -> Self:
        """Sign in with a password."""
        client = httpx.Client(base_url=base_url, timeout=30.0)
        answer = client.post("/auth/token", json={"username": username, "password": password})
        answer.raise_for_status()
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        return cls(client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def knows(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed, and its file is not gone since."""
        answer = self._client.get(f"/api/v2/dags/{quote(dag_id, safe='')}")
        return answer.status_code == 200 and not answer.json()["is_stale"]

    def import_errors(self) -> list[str]:
        """What Airflow says of DAG files it could not read."""
        found = self._ask("GET", "/api/v2/importErrors")
        return [
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in found["import_errors"]
        ]

    def trigger(self, dag_id: str, *, run_id: str | None = None, logical_date: datetime | None = None) -> str:
        """Unpause the DAG and start a run; returns its id."""
        self.unpause(dag_id)
        wanted: dict[str, Any] = {"logical_date": logical_date.isoformat() if logical_date else None, "conf": {}}
        if run_id:
            wanted["dag_run_id"] = run_id
        return str(self._ask("POST", f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns", wanted)["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let Airflow start runs of the DAG by itself too."""
        self._ask("PATCH", f"/api/v2/dags/{quote(dag_id, safe='')}", {"is_paused": False})

    def runs(self, dag_id: str) -> list[str]:
        """Ids of the DAG's last hundred runs, oldest first."""
        path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns?limit=100&order_by=-run_after"
        return [str(run["dag_run_id"]) for run in reversed(self._ask("GET", path)["dag_runs"])]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The run's state in Airflow's words."""
        return str(self._ask("GET", self._run(dag_id, run_id))["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The run's task instances in the order of their ids."""
        found = self._ask("GET", f"{self._run(dag_id, run_id)}/taskInstances?limit=1000")["task_instances"]
        states = [TaskState(t["task_id"], t["map_index"], t["state"] or "none", t["try_number"]) for t in found]
        return sorted(states, key=lambda task: (task.task_id, task.map_index))

    def clear(self, dag_id: str, run_id: str, task_id: str, *, downstream: bool = False) -> None:
        """Clear a task, and what comes after it where *downstream*, so that it runs again."""
        wanted = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "include_downstream": downstream,
            "reset_dag_runs": True,
            "only_failed": False,
        }
        self._ask("POST", f"/api/v2/dags/{quote(dag_id, safe='')}/clearTaskInstances", wanted)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run."""
        self._ask("POST", f"{self._run(dag_id, run_id)}/clear", {"dry_run": False})

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Say that a task succeeded, failed or was skipped, whatever it does."""
        path = f"{self._run(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
        self._ask("PATCH", path, {"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Say that a run succeeded or failed, whatever its tasks do."""
        self._ask("PATCH", self._run(dag_id, run_id), {"state": state})

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run with its task instances."""
        self._ask("DELETE", self._run(dag_id, run_id))

    def delete_dag(self, dag_id: str) -> bool:
        """Delete the DAG with its runs, for good once its file is gone; False while something of it runs."""
        answer = self._answer("DELETE", f"/api/v2/dags/{quote(dag_id, safe='')}")
        if answer.status_code == 409:
            return False
        if answer.status_code != 404:
            answer.raise_for_status()
        return True

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Do what *path* of the REST API stands for."""
        self._ask("POST", path, body)

    def _run(self, dag_id: str, run_id: str) -> str:
        return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}"

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._answer(method, path, body)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        for _ in range(ATTEMPTS):
            answer = self._client.request(method, path, json=body)
            if answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
                break
        return answer
