"""A team at work: its DAG's tasks run as Airflow would run them, and what became of them is looked at."""

import asyncio
import json
import os
import subprocess
import textwrap
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import boto3
import kubernetes_asyncio as k8s
from outrider_contracts.names import JOB_ACCOUNT, DerivedNames
from outrider_contracts.tenants import Backend
from outrider_local import airflow_install
from outrider_local.handles import RunningKubernetes, RunningS3
from storage.cases.work import Work

from tests.unit.chassis.issuer import Issuer

CREW = "crew"
NAMESPACE = DerivedNames(CREW).namespace
TEAMS: dict[str, Backend] = {CREW: "s3", "pilots": "directory", "guests": "directory"}
"""The teams storage knows here, and where their data lies."""
T = TypeVar("T")
_PROCESS = Path(__file__).with_name("task_process.py")


class Storage(Protocol):
    """The storage service as it is served here."""

    volume: Path

    def do(self, act: Callable[[Work], Awaitable[T]]) -> T: ...


@dataclass(frozen=True)
class Ended:
    """How a task ended, and what its log says."""

    state: str
    error: str
    result: object
    log: str


@dataclass
class Crew:
    """The team's DAGs and where they run."""

    cluster: RunningKubernetes
    s3: RunningS3
    issuer: Issuer
    directory: Path
    team: str = CREW
    storage: Storage | None = None

    def dag(self, source: str) -> "Flight":
        """A run of the DAG that *source* is, in a place of its own."""
        name = f"dag_{uuid.uuid4().hex[:8]}"
        file = self.directory / f"{name}.py"
        file.write_text(
            _HEAD.format(dag=name, job=self.cluster.job_image) + textwrap.indent(textwrap.dedent(source), "    ")
        )
        return Flight(self, file, name)

    @property
    def environment(self) -> dict[str, str]:
        """A task process's own: Airflow's settings and the team's connections."""
        stack = self.cluster.stack
        storage = f"http://127.0.0.1:{stack.ports.of('storage')}"
        outrider = {
            "conn_type": "http", "host": storage, "login": f"team-{self.team}", "password": "word",
            "extra": {"token_url": f"{storage}/v1/token"},
        }  # fmt: skip
        kubernetes = {
            "conn_type": "kubernetes",
            "extra": {
                "kube_config": self.cluster.kubeconfig.read_text(),
                "namespace": DerivedNames(self.team).namespace,
            },
        }
        return {
            "PATH": os.environ["PATH"],
            "CREW": self.team,
            "PYTHONPATH": airflow_install.site(self.directory / "site"),
            "AIRFLOW_HOME": str(self.directory / "airflow"),
            "AIRFLOW__OUTRIDER__STAGER_IMAGE": self.cluster.stager_image,
            "AIRFLOW__OUTRIDER__STAGER_PULL_POLICY": "Never",
            "AIRFLOW__OUTRIDER__STAGER_RESOURCES": "{}",
            "AIRFLOW_CONN_OUTRIDER": json.dumps(outrider),
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(kubernetes),
            "AIRFLOW_CONN_ORDERS_DB": "postgres://reader:canary-word@db.example.org/orders",
        }

    def objects(self, prefix: str) -> dict[str, bytes]:
        """What lies below *prefix*, as root sees it."""
        client = boto3.Session(**self.s3.session("root")).client("s3", endpoint_url=self.s3.url)
        listed = client.list_objects_v2(Bucket=self.s3.bucket, Prefix=prefix).get("Contents", [])
        return {
            entry["Key"]: client.get_object(Bucket=self.s3.bucket, Key=entry["Key"])["Body"].read() for entry in listed
        }


@dataclass
class Flight:
    """One run of a DAG."""

    crew: Crew
    file: Path
    dag_id: str

    def command(self, task_id: str, try_number: int = 1) -> Sequence[str]:
        state = self.file.with_suffix("") / task_id
        state.mkdir(parents=True, exist_ok=True)
        python = airflow_install.program(self.crew.cluster.stack.layout, "python")
        return [str(python), str(_PROCESS), str(self.file), task_id, str(state), "r", str(try_number)]

    def start(self, task_id: str, try_number: int = 1) -> "subprocess.Popen[str]":
        """A task process that goes on by itself."""
        return subprocess.Popen(
            self.command(task_id, try_number), env=self.crew.environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, task_id: str, try_number: int = 1) -> Ended:
        """Run one try to its end."""
        return self.end(self.start(task_id, try_number))

    def end(self, process: "subprocess.Popen[str]") -> Ended:
        """How it ended."""
        log, _ = process.communicate(timeout=600)
        told: dict[str, Any] = json.loads(log.rstrip().rsplit("\n", 1)[-1]) if log.rstrip().endswith("}") else {}
        assert told, log
        return Ended(told["state"], told["error"], told["result"], log)

    def outputs(self, task_id: str) -> dict[str, bytes]:
        """What the task's tries stored, by key below the task's place."""
        prefix = f"{self.crew.team}/{self.dag_id}/{task_id}/"
        return {key.removeprefix(prefix).split("/", 1)[1]: body for key, body in self.crew.objects(prefix).items()}


def asked(cluster: RunningKubernetes, what: Callable[[k8s.client.ApiClient], Awaitable[T]]) -> T:
    """What the API server answers its administrator."""

    async def ask() -> T:
        async with await k8s.config.new_client_from_config(str(cluster.kubeconfig)) as api:
            return await what(api)

    return asyncio.run(ask())


def have_namespace(cluster: RunningKubernetes, name: str, labels: dict[str, str]) -> None:
    """As tenancy makes it, with an account for jobs; one that is there is left as it is."""

    async def make(api: k8s.client.ApiClient) -> None:
        core: Any = k8s.client.CoreV1Api(api)  # its stubs know no plain objects
        if name not in {each.metadata.name for each in (await core.list_namespace()).items}:
            await core.create_namespace({"metadata": {"name": name, "labels": labels}})
            account = {"metadata": {"name": JOB_ACCOUNT}, "automountServiceAccountToken": False}
            await core.create_namespaced_service_account(name, account)

    asked(cluster, make)


_HEAD = """
from airflow.sdk import DAG
from outrider_airflow import (
    ExecutionEnvironmentOperator, Input, LocalExecutionEnvironmentOperator, Output, Source
)

JOB = dict(image="{job}", image_pull_policy="Never", startup_check_interval_seconds=1)

with DAG("{dag}", schedule=None) as dag:
"""
