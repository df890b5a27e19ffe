"""Runs that come back: a cleared task, a run created again under the same id, a forged end."""

from datetime import UTC, datetime

from confluent_kafka import Producer
from outrider_cli.demo.ride import Ride
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.environments import EnvironmentSealed
from outrider_contracts.keys import RunKey
from outrider_local.kafka import client_config
from outrider_local.waiting import wait_until

from tests.e2e.support import objects
from tests.riding import Flown


def generations(ride: Ride, run_id: str, task_id: str) -> list[int]:
    """Generations of the task's successful seals, in the order they were said."""
    sealed = [
        EnvironmentSealed.model_validate_json(record.value)
        for record in ride.said(EnvironmentSealed.topic)
        if record.headers.get("ce_type") == EnvironmentSealed.type
    ]
    of_task = [s for s in sealed if s.task.run_id == run_id and s.task.task_id == task_id and s.outcome == "success"]
    return [s.generation for s in sorted(of_task, key=lambda s: s.sealed_at)]


def test_a_task_cleared_after_its_run_ended_writes_a_new_generation(ride: Ride, flown: Flown) -> None:
    """Nothing is revived: the second run of the task gets a directory of its own."""
    before = generations(ride, flown.punctuality, "rank")

    ride.airflow.clear("punctuality", flown.punctuality, "rank")

    assert wait_until(lambda: len(generations(ride, flown.punctuality, "rank")) > len(before), seconds=240, every=0.5)
    after = generations(ride, flown.punctuality, "rank")
    assert after[-1] > max(before)
    assert ride.await_run("punctuality", flown.punctuality) == "success"


def test_a_run_created_again_under_its_id_starts_anew(ride: Ride, flown: Flown) -> None:
    """The deleted run's data is not the new run's data."""
    assert flown
    run_id = ride.start("punctuality", run_id="again")
    assert ride.await_run("punctuality", run_id) == "success"
    # what is sealed is told by a relay of storage's own
    assert wait_until(lambda: bool(generations(ride, run_id, "rank")), seconds=60, every=0.5)
    first = generations(ride, run_id, "rank")

    ride.airflow.delete_run("punctuality", run_id)
    assert ride.start("punctuality", run_id="again") == run_id
    assert ride.await_run("punctuality", run_id) == "success"

    assert wait_until(lambda: len(generations(ride, run_id, "rank")) == len(first) + 1, seconds=60, every=0.5)
    assert generations(ride, run_id, "rank")[-1] > max(first)


def test_a_forged_end_of_a_running_run_deletes_nothing(ride: Ride, flown: Flown) -> None:
    """Whoever may write the topic may lie; before anything is destroyed Airflow itself is asked."""
    assert flown
    run_id = ride.start("slow")
    assert wait_until(lambda: bool(generations(ride, run_id, "quick")), seconds=90, every=0.5)
    path = f"ops/slow/quick/run~{run_id.replace(':', '~3a').replace('+', '~2b')}/"
    kept = objects(ride, path)
    assert kept

    producer = Producer({**client_config(ride.stack, "airflow"), "acks": "all"})
    now = datetime.now(UTC)
    forged = RunFinished(
        run=RunKey(team="ops", dag_id="slow", run_id=run_id), run_started_at=now, state="success", finished_at=now
    )
    record = encode(forged, source="a DAG author with bad intentions")
    producer.produce(record.topic, key=record.key, value=record.value, headers=list(record.headers))
    assert producer.flush(10) == 0

    assert ride.airflow.run_state("slow", run_id) == "running"
    assert objects(ride, path) == kept
    assert ride.await_run("slow", run_id) == "success"
