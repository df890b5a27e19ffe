"""When a pod is over, and how it ended, where an author's own containers take their time."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.providers.cncf.kubernetes.triggers.pod import ContainerState
from airflow.providers.cncf.kubernetes.utils import pod_manager
from kubernetes.client import CoreV1Api, V1Pod
from outrider_airflow.errors import OutputNotStored
from outrider_airflow.pod import manager as module
from outrider_airflow.pod.manager import EnvironmentPodManager
from outrider_airflow.pod.outcome import error_of, held_back, in_the_stagers_words, judged
from outrider_airflow.pod.trigger import EnvironmentPodTrigger
from pods.test_stagers import pod, terminated

RUNNING: dict[str, Any] = {"running": {}}


def seen(*, base: dict[str, Any], out: dict[str, Any], proxy: dict[str, Any], phase: str = "Running") -> V1Pod:
    found = pod({"outrider-in": terminated(0), "proxy": proxy, "outrider-out": out}, base)
    found.status.phase = phase
    return found


class Looks(EnvironmentPodManager):
    """Is shown one pod after the other."""

    def __init__(self, *pods: V1Pod) -> None:
        super().__init__(cast("CoreV1Api", None), [], files=dict, kill_grace=30)
        self.left = list(pods)

    def read_pod(self, pod: V1Pod) -> V1Pod:
        return self.left.pop(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)


STORING: dict[str, Any] = {"base": terminated(0), "out": RUNNING, "proxy": RUNNING}
STORED: dict[str, Any] = {"base": terminated(0), "out": terminated(0), "proxy": RUNNING}


def test_outputs_are_waited_for_and_a_sidecar_that_will_not_end_is_not() -> None:
    """It has as long as an upload may take, for that is what the pod has."""
    looks = Looks(seen(base=RUNNING, out=RUNNING, proxy=RUNNING), seen(**STORING), seen(**STORED), seen(**STORED))

    looks.await_pod_completion(V1Pod())

    assert len(looks.left) == 1


class Shell:
    """A shell in an image without `pgrep`, at the end of a connection that brings its complaint in two pieces."""

    def __init__(self) -> None:
        self.on_its_way: list[str] = []
        self.said = ""
        self.commands: list[str] = []

    def is_open(self) -> bool:
        return bool(self.on_its_way) or not self.commands

    def write_stdin(self, command: str) -> None:
        self.commands.append(command)
        if "pgrep" in command:
            self.on_its_way += ["/bin/sh: 1: ", "pgrep: not found"]

    def update(self, timeout: int) -> None:
        self.said = self.on_its_way.pop(0) if self.on_its_way else ""

    def peek_stdout(self) -> str:
        return ""

    def peek_stderr(self) -> str:
        return self.said

    def read_stderr(self) -> str:
        said, self.said = self.said, ""
        return said

    def close(self) -> None: ...


def test_the_sidecar_for_xcoms_is_told_to_end_without_pgrep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored as long as it runs, and the stagers' image has no `pgrep` to find it by."""
    shell = Shell()
    monkeypatch.setattr(pod_manager, "kubernetes_stream", lambda *_, **__: shell)

    EnvironmentPodManager(CoreV1Api(), [], files=dict, kill_grace=30).extract_xcom_kill(seen(**STORING))

    assert [("pgrep" in command, "kill -2" in command) for command in shell.commands] == [(False, True)]


def test_the_trigger_fires_when_the_outputs_are_stored() -> None:
    trigger = EnvironmentPodTrigger.__new__(EnvironmentPodTrigger)
    trigger.base_container_name = "base"

    assert trigger.define_pod_container_state(seen(**STORING)) == ContainerState.RUNNING
    assert trigger.define_pod_container_state(seen(**STORED)) == ContainerState.TERMINATED


def test_what_airflows_database_keeps_of_a_deferral_holds_no_credentials() -> None:
    """The connection's token would lie there in the clear, for as long as the pod works."""
    extras = {"kube_config": {"users": [{"user": {"token": "canary"}}]}}
    trigger = EnvironmentPodTrigger(
        pod_name="work", pod_namespace="outrider-team-ads", trigger_start_time=datetime.now(UTC),
        base_container_name="base", kubernetes_conn_id="kubernetes_default", connection_extras=extras,
    )  # fmt: skip

    _, kept = trigger.serialize()

    assert "canary" not in repr(kept)
    assert EnvironmentPodTrigger(**kept).kubernetes_conn_id == "kubernetes_default"


@pytest.mark.parametrize(("exit_code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_such_a_pod_is_judged_by_its_job(exit_code: int, phase: str) -> None:
    """Its phase says that it runs."""
    found = seen(base=terminated(exit_code), out=terminated(0), proxy=RUNNING)

    assert judged(found, "base").status.phase == phase


def test_a_sidecar_that_sigterm_ended_is_no_failure() -> None:
    found = seen(base=terminated(0), out=terminated(0), proxy=terminated(143), phase="Succeeded")

    assert error_of(found, "base", list) is None


def beside(name: str, states: dict[str, Any]) -> V1Pod:
    """A pod whose job has ended, and nothing of it is stored."""
    found = PodGenerator.serialize_pod(seen(base=terminated(0), out=RUNNING, proxy=RUNNING))
    status = dict(found["status"]["containerStatuses"][0], name=name, state=states)
    found["spec"]["containers"].append({"name": name})
    found["status"]["containerStatuses"].append(status)
    return PodGenerator.deserialize_model_dict(found)


def test_a_container_that_kept_the_outputs_from_being_stored_is_named() -> None:
    """Where Airflow waits for the job alone; storage only knows that they are missing, and blames the job."""
    refused = OutputNotStored("try 1 of ads/daily/work has not stored 'out'")

    told = in_the_stagers_words(refused, held_back(beside("metrics", RUNNING), "base"))

    assert str(told).startswith("outputs are stored when all of a pod's containers have ended, and 'metrics' had not")
    assert held_back(beside("metrics", terminated(0)), "base") is None
    assert held_back(beside("airflow-xcom-sidecar", RUNNING), "base") is None


def test_an_error_holds_no_line_as_long_as_the_job_likes() -> None:
    """Airflow keeps it, and every page that shows it."""
    found = seen(base=terminated(3), out=terminated(0), proxy=RUNNING)

    error = error_of(found, "base", lambda: ["before", "x" * 200_000])

    assert str(error).startswith("the job ended with exit code 3; its last lines:\nbefore\nxxx")
    assert len(str(error)) < 2000
