"""The commands an explanation names are such as this Airflow takes."""

import json

from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody
from outrider_contracts.explain.words import clear_command
from outrider_contracts.keys import TaskKey


def test_a_task_is_cleared_whatever_its_state_is() -> None:
    """Airflow's API clears failed tasks alone where nothing else is said; a version that is gone was a success."""
    part = TaskKey(team="ads", dag_id="daily", run_id="r1", task_id="part", map_index=2)

    body = ClearTaskInstancesBody.model_validate(json.loads(clear_command(part).partition("clearTaskInstances ")[2]))

    assert (body.dag_run_id, body.task_ids) == ("r1", [("part", 2)])
    assert body.include_downstream
    assert not body.only_failed
    assert not body.dry_run
