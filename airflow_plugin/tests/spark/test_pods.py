"""The driver's pod and its executors': who gets what, and that all of it may run under `restricted`."""

import json
from dataclasses import replace
from typing import Any

from outrider_airflow.pod.plan import PodPlan
from outrider_airflow.pod.spec import furnish
from outrider_airflow.spark import pods
from outrider_airflow.spark.conf import EXECUTOR, application_id

PLAN = PodPlan(
    mode="uris", try_number=1, run_started_at="2026-11-01T00:00:00+00:00",
    variables={"OUTRIDER_TEAM": "ads", "AWS_REGION": "eu-west-1"}, stores=False, storage_url="http://storage:80",
    stager_image="stager:1", stager_pull_policy="Never", upload_seconds=3600, unix_id=1234567890,
)  # fmt: skip
URL = "https://kubernetes.default.svc:6443"


def furnished(plan: PodPlan = PLAN, **spec: Any) -> dict[str, Any]:
    job = {"name": "base", "image": "spark:1"}
    pod = {"metadata": {"name": "load-x", "namespace": "ads"}, "spec": {"containers": [job], **spec}}
    return furnish(pod, plan, base="base", service_account="spark")


def driver(address: str = "", **spec: Any) -> dict[str, Any]:
    return pods.driver(furnished(**spec), ["/app.py"], base="base", api_url=URL, api_address=address)


def executor(plan: PodPlan = PLAN, **spec: Any) -> dict[str, Any]:
    return pods.executor(furnished(plan, **spec), base="base", account="job")


def mounts(container: dict[str, Any]) -> set[str]:
    return {mount["mountPath"] for mount in container.get("volumeMounts", ())}


def test_the_driver_is_started_as_sparks_images_want_it() -> None:
    (job,) = driver()["spec"]["containers"]

    assert job["args"] == ["driver", "/app.py"]
    assert "command" not in job
    addresses = [entry for entry in job["env"] if entry["name"] == "SPARK_DRIVER_BIND_ADDRESS"]
    assert addresses == [
        {"name": "SPARK_DRIVER_BIND_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    ]


def test_the_driver_alone_may_ask_kubernetes() -> None:
    """Neither the stagers beside it nor its executors get the account's token."""
    spec, token = driver()["spec"], "/var/run/secrets/kubernetes.io/serviceaccount"

    assert spec["automountServiceAccountToken"] is False
    assert token in mounts(spec["containers"][0])
    assert not any(token in mounts(container) for container in spec["initContainers"])
    assert executor()["spec"]["automountServiceAccountToken"] is False
    assert executor()["spec"]["serviceAccountName"] == "job"


def test_the_driver_carries_its_applications_labels() -> None:
    assert driver()["metadata"]["labels"] == {"spark-app-selector": application_id("load-x"), "spark-role": "driver"}


def test_the_api_servers_name_is_given_an_address_where_it_has_none() -> None:
    assert "hostAliases" not in driver()["spec"]
    assert driver("10.244.0.1")["spec"]["hostAliases"] == [
        {"ip": "10.244.0.1", "hostnames": ["kubernetes.default.svc"]}
    ]


def test_executors_are_fenced_as_the_driver_is() -> None:
    spec = executor(tolerations=[{"key": "spot"}], nodeSelector={"disk": "fast"})["spec"]

    assert spec["securityContext"]["runAsUser"] == 1234567890
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in (*spec["containers"], *spec["initContainers"]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert (spec["tolerations"], spec["nodeSelector"]) == ([{"key": "spot"}], {"disk": "fast"})


def test_each_executor_has_credentials_of_its_own() -> None:
    """The sidecar holds the try's token; the executor sees where to ask, and with what, and nothing more."""
    spec = executor()["spec"]
    (sidecar,), (job,) = spec["initContainers"], spec["containers"]

    assert sidecar["restartPolicy"] == "Always"
    assert "outrider_stage serve" in sidecar["command"][-1]
    assert "startupProbe" in sidecar
    assert "/var/run/outrider/stager" in mounts(sidecar)
    assert mounts(job) == {"/outrider"}
    assert {volume["name"] for volume in spec["volumes"]} == {"outrider", "outrider-token"}
    told = {entry["name"]: entry for entry in job["env"]}
    assert told["AWS_REGION"]["value"] == "eu-west-1"
    assert "secretKeyRef" in told["AWS_CONTAINER_AUTHORIZATION_TOKEN"]["valueFrom"]
    assert "OUTRIDER_TEAM" not in told


def test_driver_and_executors_mount_the_shared_volume_alike() -> None:
    """An application finds the same directories in each; there are no credentials to serve."""
    plan = replace(PLAN, mode="volume", volume_of="ads")
    spec = executor(plan)["spec"]

    assert {"/mnt/outrider/ads", "/outrider"} == mounts(spec["containers"][0]) == mounts(furnished_job(plan))
    assert {volume["name"] for volume in spec["volumes"]} == {"outrider", "outrider-volume"}
    assert "initContainers" not in spec


def furnished_job(plan: PodPlan) -> dict[str, Any]:
    job: dict[str, Any] = furnished(plan)["spec"]["containers"][0]
    return job


def test_connections_stay_with_the_driver() -> None:
    """An executor's sidecar mounts what it needs of the Secret; the author's sources are not among it."""
    told = json.dumps(executor(replace(PLAN, connections=("sources/raw.json",))))

    assert "raw.json" not in told


def test_an_executor_is_as_large_as_spark_will_make_it() -> None:
    made = pods.sized(executor(), {"requests": {"cpu": "1"}})

    assert next(one for one in made["spec"]["containers"] if one["name"] == EXECUTOR)["resources"] == {
        "requests": {"cpu": "1"}
    }
