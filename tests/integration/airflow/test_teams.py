"""A new team reaches a running Airflow."""

from outrider_local.airflow import API, PROCESSOR, SCHEDULER
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding

SLOW = """
import pathlib, time
from airflow.sdk import DAG, task

with DAG("slow", schedule=None):
    @task
    def wait(directory):
        pathlib.Path(directory, "began").touch()
        while not pathlib.Path(directory, "go").exists():
            time.sleep(0.05)
    wait("{directory}")
"""
ASKING = """
from airflow.sdk import DAG, BaseHook, task

with DAG("{dag}", schedule=None):
    @task
    def ask():
        assert BaseHook.get_connection("outrider").login == "{team}"
    ask()
"""


def test_a_new_teams_dag_runs_while_everything_else_goes_on(riding: Riding) -> None:
    """Neither scheduler nor API server nor a running task notices; the new team's task finds its own connection."""
    directory = riding.bring_team("ads")
    riding.drop_dag("ads", "slow", SLOW.format(directory=directory))
    long_run = riding.user.trigger("slow")
    assert wait_until((directory / "began").exists, seconds=SECONDS)
    before = {name: riding.stack.processes.pid(name) for name in (API, SCHEDULER, PROCESSOR)}
    for team in ("sales", "hr-team"):
        connection = riding.stack.secrets.write(f"connections/{team}/outrider", f"http://{team}:word@127.0.0.1")
        assert connection.stat().st_mode & 0o777 == 0o600

    for team in ("sales", "hr-team"):
        riding.drop_dag(team, f"first_{team}", ASKING.format(dag=f"first_{team}", team=team))
    for team in ("sales", "hr-team"):
        run = riding.ride(f"first_{team}")

        assert riding.user.run_state(f"first_{team}", run) == "success"
    assert {name: riding.stack.processes.pid(name) for name in before} == before
    assert [task.state for task in riding.user.tasks("slow", long_run)] == ["running"]
    (directory / "go").touch()
    riding.await_end("slow", long_run)
    assert [(task.state, task.try_number) for task in riding.user.tasks("slow", long_run)] == [("success", 1)]
