"""The service as it runs: heard on Kafka, killed and started again."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from outrider_contracts.airflow import AirflowEvent, RunDeleted, TaskFinished
from outrider_local.services import Service
from outrider_local.stack import Stack

from tests.integration.airflow.riding import SECONDS, Riding, of
from tests.integration.conftest import Start
from tests.integration.sweep.conftest import DAG


@pytest.fixture(scope="module")
def sweeping(start: Start) -> Iterator[Stack]:
    """The sweep at work, impatient."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEP_INTERVAL_SECONDS", "0.5")
        patch.setenv("SWEEP_GONE_GRACE_SECONDS", "1")
        patch.setenv("SWEEP_RECHECK_ENDED_SECONDS", "1")
        patch.setenv("SWEEP_CHECKS_PER_ROUND", "100")  # other modules' runs are asked after, too
        yield start("sweep", "airflow")


def unheard_of(facts: list[AirflowEvent]) -> list[tuple[str, str]]:
    """The ends that no listener hears of."""
    tasks = {"killed", "after", "left", "empty"}
    return sorted((f.task.task_id, f.state) for f in of(TaskFinished, facts) if f.task.task_id in tasks)


ALL = [("after", "upstream_failed"), ("empty", "success"), ("killed", "failed"), ("left", "skipped")]


def test_what_no_listener_hears_is_on_the_topic_once(riding: Riding, sweeping: Stack) -> None:
    """Beside what Airflow says itself, under the run's key."""
    run_id = riding.ride(DAG)

    heard = riding.hear(run_id, lambda facts: unheard_of(facts) == ALL, seconds=SECONDS)
    ends = time.monotonic() + 3
    again = riding.hear(run_id, lambda facts: time.monotonic() > ends and len(unheard_of(facts)) >= len(ALL))

    assert unheard_of(heard) == ALL
    assert unheard_of(again) == ALL


def test_a_sweep_killed_in_the_middle_misses_nothing(riding: Riding, sweeping: Stack) -> None:
    """It goes on where its cursor stands."""
    pid = sweeping.processes.pid("sweep")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    run_id = riding.ride(DAG)
    Service("sweep").start(sweeping)

    heard = riding.hear(run_id, lambda facts: set(unheard_of(facts)) == set(ALL), seconds=SECONDS)
    assert set(unheard_of(heard)) == set(ALL)


def test_a_deleted_run_is_told(riding: Riding, sweeping: Stack) -> None:
    """Airflow forgets it; those who keep its data hear of it."""
    run_id = riding.ride(DAG)
    riding.hear(run_id, lambda facts: set(unheard_of(facts)) == set(ALL), seconds=SECONDS)
    riding.user.delete_run(DAG, run_id)

    assert of(RunDeleted, riding.hear(run_id, lambda facts: bool(of(RunDeleted, facts)), seconds=SECONDS))
