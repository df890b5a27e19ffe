"""What Airflow's task process does with one try of a task, without the rest of Airflow. Runs in Airflow's environment.

`python task_process.py DAG_FILE TASK_ID STATE_DIRECTORY RUN_ID TRY`: runs the task, through its deferrals, and prints
how it ended as the last line: JSON with `state`, `error` and `result`.
"""

import asyncio
import contextvars
import importlib.util
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import Context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, ExecutorSafeguard
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class StateStore:
    """The task's state store in a file: it outlives the process, as Airflow's does."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, key: str, default: object = None) -> object:
        return self._read().get(key, default)

    def set(self, key: str, value: object) -> None:
        self._file.write_text(json.dumps({**self._read(), key: value}))

    def _read(self) -> dict[str, object]:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else {}


class Process:
    def __init__(self, task: Any, state: Path, run_id: str, try_number: int) -> None:
        self.task = task
        self.pushed: dict[str, object] = {}
        run = SimpleNamespace(
            run_id=run_id,
            dag_id=task.dag_id,
            start_date=NOW,
            run_after=NOW,
            logical_date=NOW,
            team_name=os.environ["CREW"],
        )
        instance = SimpleNamespace(
            dag_id=task.dag_id, run_id=run_id, task_id=task.task_id, map_index=-1, try_number=try_number, task=task,
            start_date=datetime.now(UTC), xcom_push=self.pushed.__setitem__, get_template_context=dict,
            _ti_context_from_server=SimpleNamespace(dag_run=run),
        )  # fmt: skip
        instance.xcom_push = lambda key, value: self.pushed.__setitem__(key, value)
        self.context = cast(
            "Context",
            {
                "ti": instance, "task_instance": instance, "dag_run": run, "dag": task.dag, "run_id": run_id,
                "params": dict(task.params), "task": task, "task_state_store": StateStore(state / "store.json"),
            },
        )  # fmt: skip

    def run(self) -> object:
        """Execute, wait for each trigger as the triggerer does, and resume as a new process would."""
        method, arguments = "", {}
        while True:
            try:
                if not method:
                    return self.task.execute(self.context)
                return self.task.resume_execution(method, arguments, self.context)
            except TaskDeferred as deferred:
                path, given = deferred.trigger.serialize()
                module, _, name = path.rpartition(".")
                trigger = getattr(importlib.import_module(module), name)(**given)
                print(f"deferred to {path}", flush=True)
                try:
                    event = asyncio.run(_first(trigger))
                except Exception as error:  # noqa: BLE001  whatever a trigger stumbles over, Airflow resumes the task
                    told = traceback.format_exception(error)
                    method, arguments = TRIGGER_FAIL_REPR, {"error": "Trigger failure", "traceback": told}
                    continue
                print(f"fired: {event['status']}", flush=True)
                method, arguments = deferred.method_name, {"event": event, **(deferred.kwargs or {})}


async def _first(trigger: Any) -> Mapping[str, Any]:
    async for event in trigger.run():
        payload: Mapping[str, Any] = event.payload
        return payload
    raise AssertionError("the trigger ended without an event")


def main(dag_file: str, task_id: str, state: str, run_id: str, try_number: str) -> None:
    spec = importlib.util.spec_from_file_location("dags", dag_file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    process = Process(module.dag.get_task(task_id), Path(state), run_id, int(try_number))
    signal.signal(signal.SIGTERM, lambda *_: process.task.on_kill())
    frame = contextvars.copy_context()
    frame.run(ExecutorSafeguard.tracker.set, process.task)
    ended: dict[str, object] = {"state": "success", "error": "", "result": None, "pushed": process.pushed}
    try:
        ended["result"] = frame.run(process.run)
    except AirflowSkipException as skip:
        ended |= {"state": "skipped", "error": str(skip)}
    except BaseException as error:  # noqa: BLE001
        ended |= {"state": "failed", "error": str(error), "kind": type(error).__name__}
    print("\n" + json.dumps(ended), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
