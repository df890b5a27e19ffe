"""Tasks, sensors and whole DAGs wait for sealed data, of other DAGs and other teams, and start when it is there."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from outrider_cli.demo.ride import Ride
from outrider_contracts.environments import EnvironmentSealed
from outrider_local.waiting import wait_until

DAGS = Path(__file__).parent / "dags"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def waiting(ride: Ride) -> Ride:
    """The DAGs of both teams are there."""
    for team in ("ops", "newsroom"):
        shutil.copy2(DAGS / f"waiting_{team}.py", ride.stack.layout.bundles / team)
    return ride


def states(ride: Ride, dag_id: str, run_id: str) -> dict[str, str]:
    return {task.task_id: task.state for task in ride.airflow.tasks(dag_id, run_id)}


def sealed(ride: Ride, dag_id: str, run_id: str, tasks: int) -> list[EnvironmentSealed]:
    """Those of the run's tasks, as soon as all are told: a run may have ended before that."""

    def told() -> list[EnvironmentSealed]:
        facts = [
            EnvironmentSealed.model_validate_json(record.value)
            for record in ride.said(EnvironmentSealed.topic)
            if record.headers.get("ce_type") == EnvironmentSealed.type
        ]
        return [fact for fact in facts if (fact.task.dag_id, fact.task.run_id) == (dag_id, run_id)]

    assert wait_until(lambda: len(told()) >= tasks, seconds=60, every=0.5), told()
    return told()


def a_new_date() -> datetime:
    """A logical date no run has had."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=400)


def test_a_dag_scheduled_on_an_output_starts_when_it_is_sealed_once_per_version(waiting: Ride) -> None:
    """Also across what is optional and absent: that is no version and has no event."""
    ride = waiting
    assert wait_until(lambda: ride.airflow.knows("arrival"), seconds=180, every=0.5), ride.airflow.import_errors()
    ride.airflow.unpause("arrival")
    before = set(ride.airflow.runs("arrival"))

    for _ in range(2):
        run_id = ride.start("supply")
        assert ride.await_run("supply", run_id) == "success"

        assert wait_until(lambda: len(set(ride.airflow.runs("arrival")) - before) == 1, seconds=60, every=0.5)
        (started,) = set(ride.airflow.runs("arrival")) - before
        before.add(started)
        assert ride.await_run("arrival", started) == "success"
        (read,) = sealed(ride, "arrival", started, 1)
        (part,) = read.inputs["goods"]
        assert (part.version.run_id, part.format) == (run_id, "json")
    assert set(ride.airflow.runs("arrival")) == before


def test_a_task_whose_input_may_wait_is_put_off_until_it_is_sealed(waiting: Ride) -> None:
    """It holds no worker meanwhile, and stays the try it is."""
    ride, date = waiting, a_new_date()
    run_id = ride.start("patient", logical_date=date)
    assert wait_until(
        lambda: states(ride, "patient", run_id) == {"unpack": "up_for_reschedule"}, seconds=180, every=0.2
    )

    ride.start("supply", logical_date=date)

    assert ride.await_run("patient", run_id) == "success"
    assert [task.try_number for task in ride.airflow.tasks("patient", run_id)] == [1]


def test_another_teams_sensors_wake_when_the_granted_output_is_sealed(waiting: Ride) -> None:
    """One in the triggerer of its team, one put off again and again."""
    ride, date = waiting, a_new_date()
    run_id = ride.start("watch", logical_date=date)
    waits = {"deferred": "deferred", "put_off": "up_for_reschedule", "read": "none"}
    assert wait_until(lambda: states(ride, "watch", run_id) == waits, seconds=180, every=0.2), states(
        ride, "watch", run_id
    )

    ride.start("flights", logical_date=date)

    assert ride.await_run("watch", run_id, seconds=480) == "success"  # it takes as long as flights, and then some


def test_a_sensor_without_a_grant_fails_at_once_and_is_not_tried_again(waiting: Ride) -> None:
    run_id = waiting.start("pry")

    assert waiting.await_run("pry", run_id) == "failed"
    assert {task.try_number for task in waiting.airflow.tasks("pry", run_id)} == {1}


def test_an_instance_of_a_mapped_group_reads_its_own_part(waiting: Ride) -> None:
    run_id = waiting.start("parts")

    assert waiting.await_run("parts", run_id) == "success"
    facts = sealed(waiting, "parts", run_id, 6)
    read = {fact.task.map_index: fact.inputs for fact in facts if fact.inputs}
    assert {index: [part.version.map_index for part in inputs["word"]] for index, inputs in read.items()} == {
        0: [0], 1: [1], 2: [2],
    }  # fmt: skip


def test_the_example_of_every_mode_runs(waiting: Ride) -> None:
    """As it stands in the README's examples: declared, waited for in two ways, and begun by its asset."""
    ride, date = waiting, a_new_date() + timedelta(days=1)
    bundle = ride.stack.layout.bundles / "ops"
    shutil.copytree(EXAMPLES / "jobs", bundle / "jobs", dirs_exist_ok=True)
    shutil.copy2(EXAMPLES / "every_mode.py", bundle)
    ride.stack.secrets.write("connections/ops/orders_db", "postgres://reader:word@db.example.org/orders")
    assert wait_until(lambda: ride.airflow.knows("every_seal"), seconds=180, every=0.5), ride.airflow.import_errors()
    ride.airflow.unpause("every_seal")

    wait = ride.start("every_wait", logical_date=date)
    run_id = ride.start("every_mode", logical_date=date)

    assert ride.await_run("every_mode", run_id) == "success", ride.airflow.tasks("every_mode", run_id)
    assert ride.await_run("every_wait", wait) == "success", ride.airflow.tasks("every_wait", wait)
    assert wait_until(lambda: bool(ride.airflow.runs("every_seal")), seconds=60, every=0.5)
    assert ride.await_run("every_seal", ride.airflow.runs("every_seal")[-1]) == "success"
