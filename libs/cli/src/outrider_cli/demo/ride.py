"""A person at a running stack: onboards teams, delivers their DAGs, rides them, reads what was said."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from outrider_local import airflow_config
from outrider_local.errors import StackError
from outrider_local.kubernetes import node
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

from outrider_cli.connection import Connection
from outrider_cli.demo import images
from outrider_cli.demo.airflow import ENDED, AirflowUser, TaskState
from outrider_cli.demo.dataset import flights_archive
from outrider_cli.demo.records import Said, said

EXAMPLES = Path(__file__).parents[5] / "examples"
DEMO = EXAMPLES / "demo"
TEAMS = {"ops": "flights", "newsroom": "punctuality"}
"""The demo's teams and the DAG of each."""

FAST_CLEARING = {
    "STORAGE_GRACE_SECONDS": "2",
    "STORAGE_UNDO_WINDOW_SECONDS": "5",
    "STORAGE_CLEARING_INTERVAL_SECONDS": "1",
    "LINEAGE_SETTLE_SECONDS": "10",
    "SWEEP_INTERVAL_SECONDS": "2",
}
"""Windows so short that a person who watches sees versions go. In earnest they are minutes and hours."""
_KNOWN_SECONDS = 180
"""A team's repository is fetched every half minute, and one process reads all teams' files."""


class Ride:
    """Every step waits for its end and raises StackError where it does not come."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.connection = Connection.of(stack)

    @cached_property
    def airflow(self) -> AirflowUser:
        return AirflowUser.sign_in(
            airflow_config.url(self.stack), "admin", self.stack.secrets.password("airflow-admin")
        )

    def ask(self, service: str, path: str, **parameters: str) -> Any:
        """The JSON answer of a service to the administrator."""
        return self.connection.ask(service, path, params=parameters)

    def onboard(self, documents: Path) -> None:
        """`outrider tenants apply -f`, its progress on this terminal."""
        command = [sys.executable, "-m", "outrider_cli.main", "--home", str(self.stack.layout.home), "tenants", "apply"]
        if subprocess.run([*command, "-f", str(documents)], check=False).returncode != 0:
            raise StackError(f"not every team of {documents} was onboarded; see `outrider logs tenancy`")

    def deliver_demo(self) -> None:
        """Put the demo's DAGs and its data into the teams' bundles; where the stack has a node, tasks are pods."""
        bundles = self.stack.layout.bundles
        data = bundles / "ops" / "data"
        data.mkdir(exist_ok=True)
        shutil.copy2(flights_archive(self.stack.layout.cache), data)
        in_pods = node.claimed(self.stack)
        for team in TEAMS:
            bundle = bundles / team
            shutil.copytree(DEMO / "bundles" / team / "jobs", bundle / "jobs", dirs_exist_ok=True)
            if in_pods:
                (bundle / "image").write_text(images.put_on_node(self.stack, team, bundle))
            shutil.copytree(DEMO / ("pods" if in_pods else "bundles") / team, bundle, dirs_exist_ok=True)

    def start(self, dag_id: str, *, run_id: str | None = None, logical_date: datetime | None = None) -> str:
        """Start a run as soon as Airflow knows the DAG; returns its id."""
        if not wait_until(lambda: self.airflow.knows(dag_id), seconds=_KNOWN_SECONDS, every=0.25):
            faults = "; ".join(self.airflow.import_errors()) or "and it reports no import error"
            raise StackError(
                f"Airflow does not know DAG {dag_id!r} after {_KNOWN_SECONDS} s: {faults}; see `outrider logs airflow`"
            )
        return self.airflow.trigger(dag_id, run_id=run_id, logical_date=logical_date)

    def await_run(
        self,
        dag_id: str,
        run_id: str,
        seconds: float = 240,
        watch: Callable[[list[TaskState]], None] = lambda _tasks: None,
    ) -> str:
        """Wait until the run has ended; returns its state. *watch* is shown the tasks meanwhile."""

        def ended() -> bool:
            watch(self.airflow.tasks(dag_id, run_id))
            return self.airflow.run_state(dag_id, run_id) in ENDED

        if not wait_until(ended, seconds=seconds, every=0.3):
            raise StackError(
                f"run {run_id} of {dag_id} has not ended after {seconds:.0f} s; see `outrider logs airflow`"
            )
        return self.airflow.run_state(dag_id, run_id)

    def said(self, topic: str) -> list[Said]:
        """Every record the topic holds now, as the operator reads them."""
        return said(self.connection.kafka, topic)

    def environments(self, team: str, dag_id: str, run_id: str) -> list[Mapping[str, Any]]:
        """What storage holds of a run."""
        answer = self.ask("storage", "/v1/environments", team=team, dag_id=dag_id, run_id=run_id)
        return list(answer["environments"])
