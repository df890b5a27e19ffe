"""KubernetesExecutor on a real node: its pods run in their teams' namespaces, and outlive a killed scheduler."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_asyncio as k8s
import pytest
from outrider_contracts.airflow import TaskFinished, TaskStarted
from outrider_contracts.names import DerivedNames
from outrider_local import airflow, airflow_install
from outrider_local.handles import RunningKubernetes
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding, of
from tests.integration.conftest import Start
from tests.integration.pods.crew import asked, have_namespace

HOME = "airflow"
"""The executor's own namespace."""
TEAMS = ("ads", "hr1")
PATIENT = """
import os, time
from airflow.sdk import DAG, task

with DAG("{dag}", schedule=None):
    @task
    def wait():
        while not os.path.exists("{go_on}"):
            time.sleep(0.2)
    wait()
"""


class Executor:
    """A scheduler with KubernetesExecutor in place of the stack's own."""

    def __init__(self, riding: Riding, cluster: RunningKubernetes, directory: Path) -> None:
        self.riding, self.cluster, self.directory = riding, cluster, directory

    def start(self) -> None:
        stack = self.riding.stack
        environment = airflow._environment(stack)
        scheduler = airflow._commands(stack, environment, "")[airflow.SCHEDULER]
        stack.processes.start(
            airflow.SCHEDULER,
            replace(
                scheduler,
                env={
                    **scheduler.env,
                    "AIRFLOW__CORE__EXECUTOR": "KubernetesExecutor",
                    "AIRFLOW__OUTRIDER__TEAM_NAMESPACES": "True",
                    "AIRFLOW__KUBERNETES_EXECUTOR__IN_CLUSTER": "False",
                    "AIRFLOW__KUBERNETES_EXECUTOR__CONFIG_FILE": str(self.cluster.kubeconfig),
                    "AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE": HOME,
                    "AIRFLOW__KUBERNETES_EXECUTOR__MULTI_NAMESPACE_MODE": "True",
                    "AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE": str(self._template(environment)),
                    # a scheduler that was killed is given up, and its tasks adopted, within seconds
                    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
                    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
                    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
                },
            ),
        )

    def kill(self) -> None:
        processes = self.riding.stack.processes
        for pid in processes.members(airflow.SCHEDULER):
            with suppress(ProcessLookupError):  # it ended with its parent
                os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: not processes.members(airflow.SCHEDULER), seconds=30)

    def workers(self) -> dict[str, Any]:
        """The executor's pods that run, by DAG."""

        async def pods(api: k8s.client.ApiClient) -> list[Any]:
            core: Any = k8s.client.CoreV1Api(api)
            return list((await core.list_pod_for_all_namespaces(label_selector="kubernetes_executor=True")).items)

        return {pod.metadata.annotations["dag_id"]: pod for pod in asked(self.cluster, pods)}

    def _template(self, environment: dict[str, str]) -> Path:
        """A worker is this machine's Airflow in a pod: its files, its network, the image's Python."""
        stack = self.riding.stack
        programs = self.directory / "bin"
        programs.mkdir(exist_ok=True)
        if not (programs / "python").is_symlink():
            (programs / "python").symlink_to("/usr/bin/python3")
        packages = airflow_install.directory(stack.layout) / "venv/lib/python3.11/site-packages"
        told = {
            **environment, "PATH": f"{programs}:/usr/bin:/bin",
            "PYTHONPATH": f"{environment['PYTHONPATH']}:{packages}",
        }  # fmt: skip
        places = [str(each) for each in (stack.layout.home, stack.layout.cache, airflow_install.CLONE, self.directory)]
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"},
            "spec": {
                "restartPolicy": "Never", "hostNetwork": True,
                "containers": [
                    {
                        "name": "base", "image": self.cluster.job_image, "imagePullPolicy": "Never",
                        "command": ["/usr/bin/env"], "workingDir": "/tmp",
                        "env": [{"name": name, "value": value} for name, value in told.items()],
                        "volumeMounts": [{"name": f"p{n}", "mountPath": at} for n, at in enumerate(places)],
                    }
                ],
                "volumes": [{"name": f"p{n}", "hostPath": {"path": at}} for n, at in enumerate(places)],
            },
        }  # fmt: skip
        file = self.directory / "worker.json"
        file.write_text(json.dumps(pod))
        return file


@pytest.fixture
def executor(riding: Riding, kubernetes_node: RunningKubernetes, start: Start, tmp_path: Path) -> Iterator[Executor]:
    if sys.version_info[:2] != (3, 11) and not os.environ.get("CI"):
        pytest.skip("the pods' image has Python 3.11, and Airflow's packages here are for another")
    for name in (HOME, *(DerivedNames(team).namespace for team in TEAMS)):
        have_namespace(kubernetes_node, name, {})
    executor = Executor(riding, kubernetes_node, tmp_path)
    executor.start()
    yield executor
    start("airflow")


def test_pods_run_in_their_teams_namespaces_and_outlive_a_scheduler_that_is_killed(executor: Executor) -> None:
    riding, go_on = executor.riding, executor.directory / "go-on"
    for team in TEAMS:
        riding.drop_dag(team, f"{team}_waits", PATIENT.format(dag=f"{team}_waits", go_on=go_on))
    runs = {f"{team}_waits": riding.user.trigger(f"{team}_waits") for team in TEAMS}

    def run() -> dict[str, Any]:
        return {dag: pod for dag, pod in executor.workers().items() if pod.status.phase == "Running"}

    assert wait_until(lambda: run().keys() == runs.keys(), seconds=SECONDS), executor.workers()
    before = run()

    def adopted_all() -> bool:
        now = _marks(run())
        return all(now.get(dag, mark) != mark for dag, mark in _marks(before).items())

    executor.kill()
    executor.start()
    adopted = wait_until(adopted_all, seconds=SECONDS)
    after = run()
    go_on.touch()
    for dag, each in runs.items():
        riding.await_end(dag, each)

    assert adopted
    assert {pod.metadata.namespace for pod in before.values()} == {DerivedNames(team).namespace for team in TEAMS}
    assert {dag: pod.metadata.uid for dag, pod in before.items()} == {dag: p.metadata.uid for dag, p in after.items()}
    for dag, each in runs.items():
        heard = riding.hear(each, lambda facts: bool(of(TaskFinished, facts)))
        assert [fact.task.team for fact in of(TaskStarted, heard)] == [dag.removesuffix("_waits")]
        assert [(fact.state, fact.task.try_number) for fact in of(TaskFinished, heard)] == [("success", 1)]
    assert wait_until(lambda: not executor.workers(), seconds=SECONDS)


def _marks(pods: dict[str, Any]) -> dict[str, str]:
    """Which scheduler each pod is said to be of."""
    return {dag: pod.metadata.labels["airflow-worker"] for dag, pod in pods.items()}
