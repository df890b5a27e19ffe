"""Deferred tasks of every team are woken, by a triggerer of their team's own."""

import os
import signal
from contextlib import suppress

from outrider_local import procfs
from outrider_local.airflow import TRIGGERERS
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding

DEFERRING = """
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator
from datetime import timedelta

class Deferring(BaseOperator):
    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds={seconds})), method_name="woken")

    def woken(self, context, event):
        return str(event)

with DAG("{dag}", schedule=None):
    Deferring(task_id="sleep")
"""


def test_each_teams_deferred_task_is_woken(riding: Riding) -> None:
    """A triggerer that is killed is started again and takes over what the dead one had."""
    for team, seconds in (("ads", 0), ("sales", 20)):
        riding.drop_dag(team, f"deferring_{team}", DEFERRING.format(dag=f"deferring_{team}", seconds=seconds))
    run = riding.ride("deferring_ads")

    assert riding.user.run_state("deferring_ads", run) == "success"
    run = riding.user.trigger("deferring_sales")
    assert wait_until(lambda: _states(riding, run) == ["deferred"], seconds=SECONDS, every=0.2)
    keeper = riding.stack.processes.pid(TRIGGERERS)
    killed = riding.stack.processes.members(TRIGGERERS) - {keeper}
    for pid in killed:
        with suppress(ProcessLookupError):  # it ended with its parent
            os.kill(pid, signal.SIGKILL)
    riding.await_end("deferring_sales", run)

    assert riding.user.run_state("deferring_sales", run) == "success"
    assert riding.stack.processes.pid(TRIGGERERS) == keeper
    assert not [pid for pid in killed if procfs.birth(pid)]


def _states(riding: Riding, run: str) -> list[str | None]:
    return [task.state for task in riding.user.tasks("deferring_sales", run)]
