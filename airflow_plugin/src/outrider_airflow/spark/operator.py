"""The operator that runs a Spark application in its team's pods: the job's container drives, executors come and go."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnKillAction
from airflow.sdk import Context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from kubernetes.client import V1Pod, V1ResourceRequirements
from kubernetes.client.rest import ApiException
from outrider_contracts.declarations import Mode
from outrider_contracts.names import JOB_ACCOUNT, SPARK_ACCOUNT, DerivedNames
from urllib3.exceptions import HTTPError

from outrider_airflow.errors import NoRoom, NoRoomNow
from outrider_airflow.pod.operator import ExecutionEnvironmentOperator
from outrider_airflow.pod.spec import Manifest
from outrider_airflow.settings import settings
from outrider_airflow.spark import pods, room
from outrider_airflow.spark.conf import application_id, check_conf, configuration
from outrider_airflow.spark.leftovers import Leftovers
from outrider_airflow.spark.sizes import Sizes

_CLEAR_SECONDS = 20.0
_KILLED_SECONDS = 1.0
"""Whoever is killed has little time; what is left then goes with the driver's pod."""
_COUNTED_SECONDS = 10.0
"""Kubernetes counts a quota anew a moment after something is gone."""
_PAUSE_SECONDS = 0.5


class SparkExecutionEnvironmentOperator(ExecutionEnvironmentOperator):
    """Runs a Spark application whose driver is this task's pod, and leaves nothing of Spark behind.

    The image is one made for Spark on Kubernetes, with hadoop-aws in it. The application finds its data by
    `OUTRIDER_INPUT_…` and `OUTRIDER_OUTPUT_…` as `s3://…`, and needs no credentials; with `mode="volume"` as
    directories that driver and executors mount alike. Besides what ExecutionEnvironmentOperator takes (but not its
    `cmds` and `arguments`):

    :param application: the program: a path in the image, or a URI Spark can fetch (templated)
    :param application_args: its arguments (templated)
    :param conf: more of Spark's configuration (templated)
    :param executors: how many; `executor_cores`, `executor_memory` ("2g"): how large each is
    :param driver_cores: size of the driver, with `driver_memory`
    :param executor_cpu: what an executor asks of its node ("500m"), where that is not its cores; `driver_cpu` likewise
    """

    template_fields: Sequence[str] = (
        *ExecutionEnvironmentOperator.template_fields, "application", "application_args", "conf",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ExecutionEnvironmentOperator.template_fields_renderers, "conf": "json",
    }  # fmt: skip

    def __init__(
        self,
        *,
        application: str,
        application_args: Sequence[str] = (),
        conf: Mapping[str, str] | None = None,
        executors: int = 2,
        executor_cores: int = 1,
        executor_memory: str = "1g",
        driver_cores: int = 1,
        driver_memory: str = "1g",
        executor_cpu: str = "",
        driver_cpu: str = "",
        mode: Mode = "uris",
        **kwargs: Any,
    ) -> None:
        task = f"task {kwargs.get('task_id')!r}"
        if mode == "files":
            raise ValueError(
                f'{task}: mode="files" is not for Spark: files lie in the driver\'s pod, and executors run in others. '
                'Leave mode out, or write mode="volume" for a team with a shared volume'
            )
        if taken := [name for name in ("cmds", "arguments") if kwargs.get(name)]:
            raise ValueError(f"{task}: {taken[0]} is not offered; name the program by application=, application_args=")
        self.sizes = _sizes(
            task, executors, executor_cores, executor_memory, driver_cores, driver_memory, executor_cpu, driver_cpu
        )
        kwargs.setdefault("container_resources", V1ResourceRequirements(**self.sizes.driver_resources))
        kwargs.setdefault("service_account_name", SPARK_ACCOUNT)
        super().__init__(mode=mode, **kwargs)
        self.application, self.application_args = application, list(application_args)
        self.conf = dict(conf or {})
        self._template: Manifest = {}
        self._check_conf()

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> V1Pod:
        """The driver's pod; the template of its executors goes into its Secret."""
        self._check_conf()  # rendered, it may be another
        site = settings()
        furnished = PodGenerator.serialize_pod(super().build_pod_request_obj(context, dry_run=dry_run))
        made = pods.driver(
            furnished,
            self._arguments(furnished),
            base=self.base_container_name,
            api_url=site.kubernetes_api_url,
            api_address=site.kubernetes_api_address,
        )
        self._template = pods.executor(furnished, base=self.base_container_name, account=self._executors_account(made))
        if self._given is not None:
            files = {**self._given.files, pods.TEMPLATE_FILE: json.dumps(self._template)}
            self._given = replace(self._given, files=files)
        return PodGenerator.deserialize_model_dict(made)

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Clear what lost drivers left, and create the pod where all of the application fits into the quota."""
        reaped = self._reap(pod_request_obj.metadata.namespace)
        self._require_room(pod_request_obj, within=_COUNTED_SECONDS if reaped else 0)
        return super().get_or_create_pod(pod_request_obj, context)

    def cleanup(
        self,
        pod: V1Pod,
        remote_pod: V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """As ever; and however it ended, nothing of Spark is left."""
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        finally:
            self._clear(pod, within=_CLEAR_SECONDS)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; where the trigger failed, nobody comes by `cleanup`."""
        pod = self._get_pod_from_task_state_store(context) if next_method == TRIGGER_FAIL_REPR else None
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        finally:
            if pod is not None:
                self._clear(pod, within=_CLEAR_SECONDS)

    def on_kill(self) -> None:
        """Delete the driver's pod, and its executors with it."""
        super().on_kill()
        if self.pod is not None and self.on_kill_action != OnKillAction.KEEP_POD:
            self._clear(self.pod, within=_KILLED_SECONDS)

    def _leave(self, pod: V1Pod) -> None:
        super()._leave(pod)
        self._clear(pod, within=_CLEAR_SECONDS)

    def _check_conf(self) -> None:
        try:
            check_conf(self.conf)
        except ValueError as error:
            raise ValueError(f"task {self.task_id!r}: {error}") from None

    def _arguments(self, pod: Manifest) -> list[str]:
        job = next(one for one in pod["spec"]["containers"] if one["name"] == self.base_container_name)
        settled = configuration(
            {name: str(value) for name, value in self.conf.items()},
            self.sizes,
            {entry["name"]: entry["value"] for entry in job.get("env", ()) if "value" in entry},
            pod=pod["metadata"]["name"],
            namespace=pod["metadata"]["namespace"],
            image=job["image"],
            pull_policy=job.get("imagePullPolicy") or "IfNotPresent",
            api_url=settings().kubernetes_api_url,
        )
        told = [part for name, value in settled.items() for part in ("--conf", f"{name}={value}")]
        named = ["--name", f"{self.dag_id}.{self.task_id}"]
        return [*named, *told, self.application, *map(str, self.application_args)]

    def _executors_account(self, pod: Manifest) -> str | None:
        """They ask Kubernetes nothing, so they are a team's powerless account; elsewhere, what the namespace has."""
        own = self._team and pod["metadata"]["namespace"] == DerivedNames(self._team).namespace
        return JOB_ACCOUNT if own else None

    def _require_room(self, pod: V1Pod, *, within: float) -> None:
        """Raises NoRoom, or NoRoomNow where there is none *within* seconds."""
        ends = time.monotonic() + within
        while missing := self._missing(pod):
            lines = "; ".join(one.line for one in missing)
            what = f"driver and {self.sizes.executors} executors have no room in namespace {pod.metadata.namespace}: "
            if any(one.for_ever for one in missing):
                raise NoRoom(
                    f"{what}{lines}. Fix: fewer or smaller executors (executors=, executor_memory=, executor_cores=), "
                    "or a larger spec.kubernetes.quota in the team's document"
                )
            if time.monotonic() >= ends:
                raise NoRoomNow(f"{what}{lines}. Fix: retries=, so that it is tried again when others have ended")
            time.sleep(_PAUSE_SECONDS)

    def _missing(self, pod: V1Pod) -> list[room.Shortage]:
        """What the namespace lacks. A quota that counts some kinds of pods only is left to Kubernetes."""
        namespace = pod.metadata.namespace
        quotas = [
            room.Quota(one.metadata.name, (one.status.hard or {}), (one.status.used or {}))
            for one in self.client.list_namespaced_resource_quota(namespace).items
            if one.status and not (one.spec.scopes or one.spec.scope_selector)
        ]
        if not quotas:
            return []
        limits = [
            self.client.api_client.sanitize_for_serialization(limit)
            for one in self.client.list_namespaced_limit_range(namespace).items
            for limit in one.spec.limits
            if limit.type == "Container"
        ]
        driver = room.pod_needs(PodGenerator.serialize_pod(pod), limits)
        executor = room.pod_needs(pods.sized(self._template, self.sizes.executor_resources), limits)
        return room.shortages(quotas, driver, executor, self.sizes.executors)

    def _reap(self, namespace: str) -> bool:
        """Clear what is left of applications whose driver ended while nobody was there to clear up; whether any was."""
        lost: frozenset[str] = frozenset()
        try:
            leftovers = Leftovers(self.client, namespace)
            lost = leftovers.lost()
            for application in sorted(lost):
                self.log.info("Clearing what Spark application %s left", application)
                leftovers.clear(application, within=_CLEAR_SECONDS)
        except (ApiException, HTTPError) as error:
            self.log.warning("What lost Spark drivers left could not be looked for: %s", error)
        return bool(lost)

    def _clear(self, pod: V1Pod, *, within: float) -> None:
        try:
            leftovers = Leftovers(self.client, pod.metadata.namespace)
            left = leftovers.clear(application_id(pod.metadata.name), within=within)
        except (ApiException, HTTPError) as error:
            self.log.warning("Spark was not cleared up after now; the rest goes with the driver's pod: %s", error)
            return
        if left:
            self.log.warning("Still there of Spark, and going with the driver's pod: %s", ", ".join(left))


def _sizes(task: str, *sizes: Any) -> Sizes:
    try:
        return Sizes(*sizes)
    except ValueError as error:
        raise ValueError(f"{task}: {error}") from None
