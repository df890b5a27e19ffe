"""Spark's configuration for one try: what the author wants, and what makes it run in the team's pods. Pure."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from outrider_airflow.spark.sizes import Sizes

FILES = PurePosixPath("/var/run/outrider/spark")
"""What only the driver sees."""
TEMPLATE = "executor.json"
EXECUTOR = "spark-kubernetes-executor"
"""Name of an executor's container."""
APP, ROLE = "spark-app-selector", "spark-role"
"""Labels Spark gives all that it makes."""
POD_IP = "SPARK_DRIVER_BIND_ADDRESS"
"""Variable with the driver's address, as Spark's images know it."""

_SECRET = re.compile(r"secret|password|token|access[.]?key", re.IGNORECASE)  # as Spark's own spark.redaction.regex
_SETTLED = {
    "spark.executor.instances": "executors=",
    "spark.executor.cores": "executor_cores=",
    "spark.executor.memory": "executor_memory=",
    "spark.executor.memoryOverhead": "executor_memory=",
    "spark.executor.memoryOverheadFactor": "executor_memory=",
    "spark.executor.pyspark.memory": "executor_memory=",
    "spark.memory.offHeap.size": "executor_memory=",
    "spark.kubernetes.executor.request.cores": "executor_cpu=",
    "spark.driver.cores": "driver_cores=",
    "spark.driver.memory": "driver_memory=",
    "spark.kubernetes.container.image": "image=",
    "spark.kubernetes.executor.container.image": "image=",
}
"""What an argument says, because the pods' sizes follow from it."""
_OURS = (
    "spark.master", "spark.submit.deployMode", "spark.app.id", "spark.driver.host", "spark.kubernetes.namespace",
    "spark.kubernetes.driver.pod.name", "spark.kubernetes.executor.podNamePrefix", "spark.kubernetes.authenticate.",
    "spark.kubernetes.executor.podTemplate", "spark.kubernetes.executor.limit.cores", "spark.dynamicAllocation.",
)  # fmt: skip


def check_conf(conf: Mapping[str, str]) -> None:
    """Raise ValueError, with the fix, for what an author may not set."""
    for name in conf:
        if argument := _SETTLED.get(name):
            raise ValueError(f"conf may not set {name}; use {argument}")
        if name.startswith(_OURS):
            raise ValueError(f"conf may not set {name}: how Spark runs in the team's pods is settled. Leave it out")
        if _SECRET.search(name):
            raise ValueError(
                f"conf may not set {name}: it would stand in the pod's command line. Use sources= or destinations="
            )


def application_id(pod_name: str) -> str:
    """Spark's id of the application whose driver is that pod; short enough for labels and for names of executors."""
    return f"outrider-{hashlib.sha256(pod_name.encode()).hexdigest()[:24]}"


def configuration(
    conf: Mapping[str, str], sizes: Sizes, store: Mapping[str, str], *, pod: str, namespace: str, image: str,
    pull_policy: str, api_url: str,
) -> dict[str, str]:  # fmt: skip
    """All of it. *store*: the AWS SDKs' variables of the job."""
    application = application_id(pod)
    return {
        **_object_store(store),
        **conf,
        "spark.master": f"k8s://{api_url}",
        "spark.app.id": application,
        "spark.driver.host": f"$({POD_IP})",
        "spark.driver.memory": sizes.driver_memory,
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.instances": str(sizes.executors),
        "spark.executor.cores": str(sizes.executor_cores),
        "spark.executor.memory": sizes.executor_memory,
        "spark.executor.memoryOverhead": f"{sizes.executor_overhead}m",
        "spark.kubernetes.executor.request.cores": sizes.executor_request,
        "spark.kubernetes.namespace": namespace,
        "spark.kubernetes.container.image": image,
        "spark.kubernetes.container.image.pullPolicy": pull_policy,
        "spark.kubernetes.driver.pod.name": pod,  # executors become its own, and go with it
        "spark.kubernetes.executor.podNamePrefix": application,
        "spark.kubernetes.executor.podTemplateFile": str(FILES / TEMPLATE),
        "spark.kubernetes.executor.podTemplateContainerName": EXECUTOR,
    }


def _object_store(store: Mapping[str, str]) -> dict[str, str]:
    """S3A for `s3://…` as jobs are given it, with the credentials each pod's sidecar serves on its loopback.

    A try may look at its own directories only: S3A must not ask what lies above them.
    """
    own = {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",
        "fs.s3a.performance.flags": "create,delete,mkdir,open",
    }
    if region := store.get("AWS_REGION"):
        own["fs.s3a.endpoint.region"] = region
    if endpoint := store.get("AWS_ENDPOINT_URL_S3"):
        own |= {
            "fs.s3a.endpoint": endpoint,
            "fs.s3a.path.style.access": "true",
            "fs.s3a.connection.ssl.enabled": str(endpoint.startswith("https:")).lower(),
        }
    return {f"spark.hadoop.{name}": value for name, value in own.items()}
