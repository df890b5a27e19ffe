"""What happens to facts and tasks when the broker is away, and to Airflow when it is killed."""

import os
import signal
from pathlib import Path

from outrider_contracts.airflow import AirflowEvent, RunFinished, RunStarted, TaskFinished, TaskStarted
from outrider_local import airflow_config, procfs
from outrider_local.airflow import API, PROCESSOR, SCHEDULER, Airflow
from outrider_local.kafka import Kafka
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import Riding, of

PLAIN = """
from airflow.sdk import DAG, task

with DAG("{dag}", schedule=None):
    @task
    def one():
        pass
    @task
    def two():
        pass
    one() >> two()
"""


def spooled(riding: Riding) -> list[Path]:
    return sorted(airflow_config.spool_directory(riding.stack).glob("[0-9]*.json"))


def _ends(facts: list[AirflowEvent]) -> set[str]:
    """Ids: what the broker took late is on the topic twice."""
    return {fact.id for fact in of(TaskFinished, facts)}


def test_runs_go_on_without_a_broker_and_are_told_when_it_is_back(riding: Riding) -> None:
    """Tasks spool what they can't say; Airflow's own processes empty the spool, nothing is missing, none is twice."""
    riding.drop_dag("ads", "away", PLAIN.format(dag="away"))
    Kafka().stop(riding.stack)
    try:
        run = riding.ride("away")

        assert riding.user.run_state("away", run) == "success"
        # a success is on record before its task says so, and waits for the broker first
        assert wait_until(lambda: len(spooled(riding)) >= 4, seconds=30)
    finally:
        Kafka().start(riding.stack)
    assert wait_until(lambda: not spooled(riding), seconds=120)
    heard = riding.hear(run, lambda facts: bool(of(RunFinished, facts)) and len(_ends(facts)) == 2)
    assert len(of(RunStarted, heard)) == 1
    assert {fact.task.task_id for fact in of(TaskStarted, heard)} == {"one", "two"}
    assert len(_ends(heard)) == 2


def test_killed_processes_are_brought_up_again(riding: Riding) -> None:
    """`kill -9` of each leaves nothing that stands in the way of the next start.

    Workers of a killed scheduler live on and hold its connections, with locks that stop the next one.
    """
    riding.drop_dag("ads", "killed", PLAIN.format(dag="killed"))
    workers = riding.stack.processes.members(SCHEDULER)
    assert len(workers) > airflow_config.WORKERS
    for name in (API, SCHEDULER, PROCESSOR):
        pid = riding.stack.processes.pid(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not any(map(riding.stack.processes.alive, (API, SCHEDULER, PROCESSOR))), seconds=10)

    Airflow().start(riding.stack)

    assert not [pid for pid in workers if procfs.birth(pid)]
    run = riding.ride("killed")
    assert riding.user.run_state("killed", run) == "success"
