"""Spark with real executors: it reads a version, writes one, and nothing of it is left, however it ends."""

import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kubernetes_asyncio as k8s
import pytest
from outrider_local.handles import RunningKubernetes
from outrider_local.kubernetes import images

from tests.integration.conftest import Start
from tests.integration.pods.crew import NAMESPACE, Crew, Flight, asked

APPLICATION = Path(__file__).with_name("spark_application.py")
SECONDS = 240

FLOW = """
from kubernetes.client import models
from outrider_airflow import SparkExecutionEnvironmentOperator

CODE = dict(
    volumes=[models.V1Volume(name="code", config_map=models.V1ConfigMapVolumeSource(name="code"))],
    volume_mounts=[models.V1VolumeMount(name="code", mount_path="/code")])

make = ExecutionEnvironmentOperator(
    task_id="make", **JOB, cmds=["sh", "-c"], arguments=["seq 100 > $OUTRIDER_OUTPUT_NUMBERS/numbers.csv"],
    outputs={"numbers": Output()})
add = SparkExecutionEnvironmentOperator(
    task_id="add", image="IMAGE", image_pull_policy="Never", startup_check_interval_seconds=1, **CODE,
    application="/code/app.py", application_args=["HOW"], executors=2, executor_memory="512m", driver_memory="512m",
    executor_cpu="400m", driver_cpu="600m", deferrable=DEFERRABLE,
    conf={"spark.scheduler.minRegisteredResourcesRatio": "1.0", "spark.ui.enabled": "false",
          "spark.locality.wait": "0s",  # or the executor that read the file may sum all of it
          "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s"},
    inputs={"numbers": Input(task=make, output="numbers")}, outputs={"sums": Output()})
"""


class SparkCrew(Crew):
    """The team, its tasks with the rights that tenancy gives them and no others."""

    @property
    def environment(self) -> dict[str, str]:
        runner = self.cluster.kubeconfig_of("runner").read_text()
        connection = {"conn_type": "kubernetes", "extra": {"kube_config": runner, "namespace": NAMESPACE}}
        return {
            **super().environment,
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(connection),
            "AIRFLOW__OUTRIDER__KUBERNETES_API_URL": self.cluster.pod_api_server,
            "AIRFLOW__OUTRIDER__KUBERNETES_API_ADDRESS": self.cluster.gateway,
        }

    def flight(self, how: str, *, deferrable: bool = False) -> Flight:
        image = images.spark_jobs(self.cluster.stack.layout).name
        source = FLOW.replace("IMAGE", image).replace("HOW", how).replace("DEFERRABLE", str(deferrable))
        return self.dag(source)


@pytest.fixture(scope="module")
def spark(crew: Crew, start: Start) -> SparkCrew:
    """Team crew with what tenancy gives it for Spark, and Spark's image on the node."""
    start("spark")
    asked(crew.cluster, prepare)
    return SparkCrew(crew.cluster, crew.s3, crew.issuer, crew.directory, storage=crew.storage)


def made(name: str, labels: Mapping[str, str] | None = None, **fields: object) -> Any:
    """An object as the API takes it."""
    return {"metadata": {"name": name, "labels": labels}, **fields}


async def prepare(api: k8s.client.ApiClient) -> None:
    """What tenancy gives a team for Spark; and the application, which lies in no image."""
    core, rbac = k8s.client.CoreV1Api(api), k8s.client.RbacAuthorizationV1Api(api)
    await core.create_namespaced_service_account(NAMESPACE, made("spark"))
    await core.create_namespaced_config_map(NAMESPACE, made("code", data={"app.py": APPLICATION.read_text()}))
    group = "rbac.authorization.k8s.io"
    accounts = {
        "outrider-spark": {"kind": "ServiceAccount", "name": "spark", "namespace": NAMESPACE},
        "outrider-runner": {"kind": "User", "name": "runner", "apiGroup": group},
    }
    for role, subject in accounts.items():
        granted = {"apiGroup": group, "kind": "ClusterRole", "name": role}
        binding = made(role, roleRef=granted, subjects=[subject])
        await rbac.create_namespaced_role_binding(NAMESPACE, binding)


def left(cluster: RunningKubernetes, selector: str = "spark-app-selector") -> list[str]:
    """All there is of Spark in the team's namespace, with the phases of pods."""

    async def look(api: k8s.client.ApiClient) -> list[str]:
        core = k8s.client.CoreV1Api(api)
        chosen: dict[str, Any] = {"label_selector": selector}
        pods = (await core.list_namespaced_pod(NAMESPACE, **chosen)).items
        others: list[Any] = []
        for listing in (
            core.list_namespaced_config_map,
            core.list_namespaced_service,
            core.list_namespaced_persistent_volume_claim,
        ):
            others += (await listing(NAMESPACE, **chosen)).items
        return [*(str(pod.status.phase) for pod in pods), *(one.metadata.name for one in others)]

    return asked(cluster, look)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for *condition*."""
    ends = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.5)


def added(flight: Flight) -> dict[str, bytes]:
    """What `add` stored: the sums, by two executors, of what `make` wrote."""
    made, summed = flight.run("make"), flight.run("add")

    assert (made.state, summed.state) == ("success", "success"), made.log + summed.log
    assert "worked on 2 executors" in summed.log
    outputs = flight.outputs("add")
    (csv,) = (body for key, body in outputs.items() if key.startswith("sums/g1/csv/part-"))
    assert csv == b"0,2550\n1,2500\n"
    assert "sums/g1/_manifest.json" in outputs
    return outputs


@pytest.mark.parametrize("deferrable", [False, True])
def test_executors_read_a_version_and_write_one(spark: SparkCrew, deferrable: bool) -> None:
    """The input was written by another task; the output is sealed; of Spark nothing is left."""
    flight = spark.flight("add", deferrable=deferrable)

    assert not [key for key in added(flight) if "_temporary" in key]
    until(lambda: left(spark.cluster) == [], f"still there: {left(spark.cluster)}")


@pytest.mark.parametrize("deferrable", [False, True])
def test_killed_in_the_middle_it_leaves_nothing(spark: SparkCrew, deferrable: bool) -> None:
    """Neither pods nor what Spark made for them, nor a version."""
    flight = spark.flight("wait", deferrable=deferrable)
    assert flight.run("make").state == "success"
    process = flight.start("add")
    executors = "spark-role=executor"
    until(lambda: left(spark.cluster, executors).count("Running") == 2, "no executors")

    process.send_signal(signal.SIGTERM)

    until(lambda: left(spark.cluster) == [], f"still there: {left(spark.cluster)}")
    assert flight.end(process).state == "failed"
    assert "sums/g1/_manifest.json" not in flight.outputs("add")


def test_what_a_quota_can_not_hold_is_refused_before_anything_is_made(spark: SparkCrew) -> None:
    """In numbers, and with the fix. What a lost driver left is cleared by the next that starts."""
    flight = spark.flight("add")
    assert flight.run("make").state == "success"

    async def hinder(api: k8s.client.ApiClient) -> None:
        core = k8s.client.CoreV1Api(api)
        quota = made("tight", spec={"hard": {"requests.memory": "2Gi"}})
        await core.create_namespaced_resource_quota(NAMESPACE, quota)
        labels = {"spark-app-selector": "outrider-lost", "spark-role": "executor"}
        await core.create_namespaced_config_map(NAMESPACE, made("lost", labels))

    async def counted(api: k8s.client.ApiClient) -> bool:
        quota = await k8s.client.CoreV1Api(api).read_namespaced_resource_quota("tight", NAMESPACE)
        return bool(quota.status.hard)

    async def give_way(api: k8s.client.ApiClient) -> None:
        await k8s.client.CoreV1Api(api).delete_namespaced_resource_quota("tight", NAMESPACE)

    asked(spark.cluster, hinder)
    try:
        until(lambda: asked(spark.cluster, counted), "the quota is not counted")
        refused = flight.run("add")
    finally:
        asked(spark.cluster, give_way)

    assert refused.state == "failed"
    assert "driver and 2 executors have no room" in refused.error
    assert "2 × executor 0.94Gi" in refused.error
    assert "Fix: fewer or smaller executors" in refused.error
    assert left(spark.cluster) == []


def test_what_a_lost_driver_left_takes_no_room_from_the_next(spark: SparkCrew) -> None:
    """Its executor goes on using the quota until it is gone, which takes a while: this one does not heed the signal."""
    flight = spark.flight("add")
    assert flight.run("make").state == "success"
    deaf = {
        "name": "executor", "image": spark.cluster.job_image, "imagePullPolicy": "Never",
        "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [deaf], "securityContext": secure}

    async def hinder(api: k8s.client.ApiClient) -> None:
        core = k8s.client.CoreV1Api(api)
        labels = {"spark-app-selector": "outrider-lost", "spark-role": "executor"}
        await core.create_namespaced_pod(NAMESPACE, made("lost", labels, spec=spec))
        quota = made("snug", spec={"hard": {"pods": "3"}})
        await core.create_namespaced_resource_quota(NAMESPACE, quota)

    async def counted(api: k8s.client.ApiClient) -> bool:
        quota = await k8s.client.CoreV1Api(api).read_namespaced_resource_quota("snug", NAMESPACE)
        return (quota.status.used or {}).get("pods") == "1"

    async def give_way(api: k8s.client.ApiClient) -> None:
        await k8s.client.CoreV1Api(api).delete_namespaced_resource_quota("snug", NAMESPACE)

    asked(spark.cluster, hinder)
    try:
        until(lambda: left(spark.cluster) == ["Running"], "the lost executor does not run")
        until(lambda: asked(spark.cluster, counted), "the quota is not counted")
        ended = flight.run("add")
    finally:
        asked(spark.cluster, give_way)

    assert ended.state == "success", ended.log
