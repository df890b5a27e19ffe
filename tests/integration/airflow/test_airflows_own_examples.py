"""The DAGs that Airflow and its standard provider bring along as examples: every final state is told."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from outrider_contracts.airflow import AirflowEvent
from outrider_local import airflow_install
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding
from tests.integration.airflow.states.oracle import airflows, told, told_twice

TEAM = "examples"
FOLDERS = ("airflow/example_dags", "airflow/providers/standard/example_dags")
NOT_HERE = {
    "example_kubernetes_executor": "wants another executor",
    "example_local_kubernetes_executor": "wants another executor",
    "example_python_operator": "makes virtual environments from the network",
    "example_python_decorator": "makes virtual environments from the network",
    "tutorial_taskflow_api_virtualenv": "makes virtual environments from the network",
    "tutorial_objectstorage": "reads from the network",
    "example_dag_decorator": "reads from the network",
    "example_retry_policy": "asks the network, again and again",
    "example_sensors": "waits for files, weekdays and markets",
    "example_hitl_operator": "waits for people",
    "example_external_task_marker_dag": "waits for a run of the year 2022",
}
RIDDEN = 40
"""At least: Airflow brings more along."""


@pytest.fixture
def dags(swept: Riding) -> Iterator[list[str]]:
    """Their ids. They go when the test is over, that no other's Airflow has to read and schedule them."""
    directory = deliver(swept)
    yield swept.sql(f"SELECT dag_id FROM dag WHERE bundle_name = '{TEAM}'").splitlines()
    shutil.rmtree(directory)
    for dag_id in swept.sql(f"SELECT dag_id FROM dag WHERE bundle_name = '{TEAM}'").splitlines():
        assert wait_until(lambda dag_id=dag_id: swept.user.delete_dag(dag_id), seconds=SECONDS, every=1)  # type: ignore[misc]


def deliver(riding: Riding) -> Path:
    """Have Airflow read them all; where they lie."""
    python = airflow_install.program(riding.stack.layout, "python")
    [packages] = python.parent.parent.glob("lib/python*/site-packages")
    directory = riding.bring_team(TEAM)
    for folder in FOLDERS:
        left_out = shutil.ignore_patterns("__pycache__", "plugins", *(f"{name}.py" for name in NOT_HERE))
        shutil.copytree(packages / folder, directory, dirs_exist_ok=True, ignore=left_out)
    files = {file.name for file in directory.glob("[!_]*.py")}
    assert wait_until(lambda: files <= _read(riding), seconds=2 * SECONDS, every=2), files - _read(riding)
    return directory


def _read(riding: Riding) -> set[str]:
    parsed = riding.sql(f"SELECT DISTINCT relative_fileloc FROM dag WHERE bundle_name = '{TEAM}'").splitlines()
    return {Path(name).name for name in [*parsed, *(error.split(":")[0] for error in riding.user.import_errors())]}


def test_of_each_task_the_last_word_told_is_what_airflow_holds(swept: Riding, dags: list[str]) -> None:
    """Mapped, branched, skipped, set up and torn down, deferred, rescheduled, failed, triggered by assets and DAGs."""
    assert len(dags) >= RIDDEN
    for dag_id in dags:
        if dag_id != "example_params_ui_tutorial":  # asks whoever starts it for a value
            swept.user.trigger(dag_id, logical_date=datetime.now(UTC))
    ours = f"SELECT dag_id FROM dag WHERE bundle_name = '{TEAM}'"

    def over() -> bool:
        return swept.sql(f"SELECT count(*) FROM dag_run WHERE end_date IS NULL AND dag_id IN ({ours})") == "0"

    assert wait_until(over, seconds=4 * SECONDS, every=1), swept.sql(
        f"SELECT dag_id, task_id, state FROM task_instance WHERE end_date IS NULL AND dag_id IN ({ours})"
    )
    heard: list[AirflowEvent] = []
    wrong: list[str] = []

    def agree() -> bool:
        heard[:] = swept.hear_dags("")
        wrong[:] = airflows(swept, "%").differences(told(heard))
        return not wrong

    assert wait_until(agree, seconds=SECONDS, every=2), "\n".join(wrong)
    assert told_twice(heard, marked=()) == []
