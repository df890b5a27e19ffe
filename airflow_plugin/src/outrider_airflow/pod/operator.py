"""The operator that runs a job as a pod of its team, in its environment."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnFinishAction, OnKillAction, PodPhase
from airflow.sdk import Context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.triggers.base import BaseTrigger
from kubernetes.client import V1Pod
from kubernetes.client.rest import ApiException
from outrider_contracts.declarations import parse_duration
from outrider_contracts.http import Environment
from outrider_contracts.keys import TaskKey
from outrider_contracts.names import JOB_ACCOUNT, DerivedNames

from outrider_airflow.attempt import Attempt
from outrider_airflow.client import StorageClient
from outrider_airflow.connection import StorageAccess
from outrider_airflow.declared import declaration
from outrider_airflow.errors import EnvironmentRefused, JobFailed, OutputNotStored
from outrider_airflow.mixin import ExecutionEnvironmentMixin
from outrider_airflow.parameters import job_params
from outrider_airflow.pod import spec
from outrider_airflow.pod.given import Given, given
from outrider_airflow.pod.manager import EnvironmentPodManager
from outrider_airflow.pod.offline import NoCluster, sketch
from outrider_airflow.pod.outcome import error_of, held_back, in_the_stagers_words, judged, not_started
from outrider_airflow.pod.plan import TASK, TRY
from outrider_airflow.pod.reattach import ReattachingPodOperator
from outrider_airflow.pod.stagers import IN, OUT, Ended, end_of, failed_start
from outrider_airflow.pod.trigger import EnvironmentPodTrigger
from outrider_airflow.settings import settings

_KILL_GRACE_SECONDS = 30
_LAST_LINES = 10


class ExecutionEnvironmentOperator(ExecutionEnvironmentMixin, ReattachingPodOperator):
    """A KubernetesPodOperator whose job finds its inputs, and whose outputs are stored, whatever it is written in.

    Everything a KubernetesPodOperator takes works as it does there; the job's image, command and arguments stay as
    they are. Besides that and what the mixin takes:

    :param workspace: `{"size": "10Gi"}`: how much room the job's files need on the node
    :param stage_in_timeout: how long bringing the inputs may take, on top of `startup_timeout_seconds`
    :param upload_timeout: how long storing the outputs may take
    :param termination_grace_period: seconds the job has to end when the task is killed (30)
    """

    template_fields: Sequence[str] = (
        *KubernetesPodOperator.template_fields,
        *ExecutionEnvironmentMixin.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **KubernetesPodOperator.template_fields_renderers,
        **ExecutionEnvironmentMixin.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        workspace: Mapping[str, str] | None = None,
        stage_in_timeout: str = "30m",
        upload_timeout: str = "1h",
        termination_grace_period: int | None = None,
        log_pod_spec_on_failure: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(log_pod_spec_on_failure=log_pod_spec_on_failure, **kwargs)
        if workspace is not None and not isinstance(workspace, Mapping):
            raise ValueError(
                f"task {self.task_id!r}: workspace can't be {workspace!r}, write workspace={{'size': '10Gi'}}"
            )
        self.workspace = dict(workspace or {})
        self.stage_in_timeout, self.upload_timeout = stage_in_timeout, upload_timeout
        grace = _KILL_GRACE_SECONDS if termination_grace_period is None else termination_grace_period
        self.termination_grace_period = self._kill_grace = grace
        self.startup_timeout_seconds += _seconds(self.task_id, "stage_in_timeout", stage_in_timeout)
        self._upload_seconds = _seconds(self.task_id, "upload_timeout", upload_timeout)
        self._given: Given | None = None
        self._adopted: V1Pod | None = None
        self._revoke: Callable[[], object] = lambda: None
        self._team = ""
        self._task: TaskKey | None = None
        self._stored: Ended | None = None
        if unknown := set(self.workspace) - {"size"}:
            raise ValueError(f"task {self.task_id!r}: workspace has no {min(unknown)!r}; it is {{'size': '10Gi'}}")
        if taken := [name for name in _names(self.env_vars) if name.startswith("OUTRIDER_")]:
            raise ValueError(
                f"task {self.task_id!r}: env_vars may not set {taken[0]!r}; use params= for values of your own"
            )

    # ── what the mixin asks for ──────────────────────────────────────────────────────────────────────────────────

    def begin(self, attempt: Attempt, storage: StorageClient, context: Context) -> tuple[Attempt, Environment]:
        """Go on with the pod of an earlier try whose worker was lost, or have an environment of one's own."""
        pod = self._left_behind(attempt, context)
        if pod is not None:
            earlier = attempt.of_try(int(pod.metadata.annotations[TRY]))
            try:
                environment = storage.ensure(
                    earlier.ensure(declaration(self)), within=settings().ensure_timeout_seconds
                )
            except EnvironmentRefused as refused:
                self.log.info("Not going on with pod %s: %s", pod.metadata.name, refused)
                self._leave(pod)
            else:
                self.log.info("Going on with pod %s of try %d", pod.metadata.name, earlier.task.try_number)
                self._adopted = self.pod = self.pod_request_obj = pod
                self._keep(context, pod, earlier.task.try_number)
                return self._known(earlier, storage.access), environment
        attempt, environment = super().begin(attempt, storage, context)
        return self._known(attempt, storage.access), environment

    def resumed(self, attempt: Attempt, access: StorageAccess, context: Context) -> Attempt:
        """The try of the pod that was waited for."""
        kept = self._kept_try(context)
        return self._known(attempt if kept is None else attempt.of_try(kept), access)

    def _known(self, attempt: Attempt, access: StorageAccess) -> Attempt:
        """Remember whose pod it is, for the moment somebody kills it: then there is no time to look anything up."""
        self._team, self._task = attempt.task.team, attempt.task.task

        def revoke() -> None:
            with StorageClient(access, attempt.traceparent) as own:
                self._seal_failure(attempt, own)

        self._revoke = revoke
        return attempt

    @property
    def was_killed(self) -> bool:
        """As Airflow's operator notes."""
        return bool(self._killed)

    def enrich(self, environment: Environment, attempt: Attempt, storage: StorageClient, context: Context) -> None:
        """Work out what the pod is given; its stagers get a token of their own."""
        if self._adopted is not None:
            return
        within = settings().ensure_timeout_seconds
        self._given = given(
            environment,
            storage.token(attempt.token(adoptable=bool(self.durable)), within=within),
            attempt,
            declaration(self),
            params=job_params(self, context),
            storage_url=storage.access.url,
            upload_seconds=self._upload_seconds,
            workspace=self.workspace.get("size"),
            site=settings(),
        )
        self._clear_leftovers(attempt.task.task, storage)

    def execute(self, context: Context) -> Any:
        """As the mixin says; a missing output is told in the words of what should have stored it."""
        try:
            return super().execute(context)
        except OutputNotStored as refused:
            raise in_the_stagers_words(refused, self._stored) from refused

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; where the trigger failed, nobody has looked after the pod."""
        if next_method == TRIGGER_FAIL_REPR:
            self._abandon(context)
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except OutputNotStored as refused:
            raise in_the_stagers_words(refused, self._stored) from refused

    # ── what Airflow's operator asks for ─────────────────────────────────────────────────────────────────────────

    @cached_property
    def pod_manager(self) -> EnvironmentPodManager:
        """All dealings with the pod."""
        return EnvironmentPodManager(
            self.client,
            self.callbacks,
            files=lambda: self._given.files if self._given else {},
            kill_grace=self._kill_grace,
        )

    def build_pod_request_obj(self, context: Context | None = None, *, dry_run: bool = False) -> V1Pod:
        """The author's pod with all that its try adds."""
        pod = super().build_pod_request_obj(context, dry_run=dry_run)
        plan = self._given.plan if self._given else sketch(
            self, upload_seconds=self._upload_seconds, workspace=self.workspace.get("size")
        )  # fmt: skip
        in_teams_own = self._team and pod.metadata.namespace == DerivedNames(self._team).namespace
        if plan.volume_of and self._given and not in_teams_own:
            raise EnvironmentRefused(
                f"data of team {self._team} lies on its shared volume, which pods in namespace "
                f"{pod.metadata.namespace!r} can't mount. Fix: leave namespace out, so that the pod runs in "
                f"{DerivedNames(self._team).namespace}"
            )
        manifest = spec.furnish(
            PodGenerator.serialize_pod(pod),
            plan,
            base=self.base_container_name,
            service_account=JOB_ACCOUNT if in_teams_own else None,
        )
        if self._task is not None and self.on_finish_action == OnFinishAction.DELETE_POD:
            manifest["metadata"]["annotations"][TASK] = self._task.model_dump_json()
        if self.do_xcom_push and not self.hook.get_xcom_sidecar_container_image():
            manifest = spec.serve_xcom(manifest, image=plan.stager_image, pull_policy=plan.stager_pull_policy)
        return PodGenerator.deserialize_model_dict(manifest)

    def dry_run(self) -> None:
        """Print the pod as it would be; nothing is asked of storage, Airflow or a cluster."""
        self.__dict__["hook"] = NoCluster()
        try:
            super().dry_run()
        finally:
            del self.__dict__["hook"]

    def get_or_create_pod(self, pod_request_obj: V1Pod, context: Context) -> V1Pod:
        """Create it: whether there is one to go on with was looked for before there was an environment."""
        created = self.pod_manager.create_pod(pod=pod_request_obj)
        if self._given is not None:
            self._keep(context, created, self._given.plan.try_number)
        return pod_request_obj

    def await_pod_start(self, pod: V1Pod) -> None:
        """Wait until the inputs are there and the job runs; say why where it never will."""
        super().await_pod_start(pod)
        self.pod_manager.tell(pod, IN)
        if ended := failed_start(self.pod_manager.read_pod(pod)):
            raise not_started(ended)

    def cleanup(
        self,
        pod: V1Pod,
        remote_pod: V1Pod,
        xcom_result: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        """As Airflow's, with an error that says what happened; the phase does not, nor do Airflow's words of it."""
        if self._killed or not remote_pod:
            super().cleanup(pod, remote_pod, xcom_result, context)
            return
        ended_by = sys.exception()  # the wait for the pod
        seen = judged(self._seen(remote_pod), self.base_container_name)
        why = self._what_happened(seen)
        failed = None
        try:
            super().cleanup(pod, seen, xcom_result, context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            failed = error
        if why is not None:
            raise why from failed
        if failed is not None:
            raise ended_by or failed

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
    ) -> NoReturn:
        """Wait in the triggerer for the pod's end, not for the job's."""
        if type(trigger) is KubernetesPodTrigger:
            trigger = EnvironmentPodTrigger(**trigger.serialize()[1])
        super().defer(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def on_kill(self) -> None:
        """Delete the pod; should it be storing already, that no longer stops it, but what it stores never counts."""
        super().on_kill()
        if self.on_kill_action != OnKillAction.KEEP_POD:
            self._revoke()

    # ── what became of it ────────────────────────────────────────────────────────────────────────────────────────

    def _seen(self, pod: V1Pod) -> V1Pod:
        """The pod as it is now. Raises JobFailed where it is gone before it was over."""
        try:
            return self.pod_manager.read_pod(pod)
        except ApiException as error:
            if error.status != 404:
                raise
        if pod.status.phase in PodPhase.terminal_states:
            return pod
        raise JobFailed(f"pod {pod.metadata.name} is gone: it was deleted before it was over")

    def _what_happened(self, pod: V1Pod) -> AirflowException | None:
        """The error in words, and what the stagers said in the log."""
        if self.deferrable:
            self.pod_manager.tell(pod, IN)
        self._stored = end_of(pod, OUT)
        if self._stored is not None:
            self.pod_manager.tell(pod, OUT)
        base = self.base_container_name
        self._stored = self._stored or held_back(pod, base)
        return error_of(pod, base, lambda: self.pod_manager.last_lines(pod, base, _LAST_LINES))


def _seconds(task_id: str, name: str, told: object) -> int:
    try:
        return int(parse_duration(str(told)).total_seconds())
    except ValueError as error:
        raise ValueError(f"task {task_id!r}: {name}: {error}") from None


def _names(env_vars: object) -> list[str]:
    if isinstance(env_vars, Mapping):
        return list(env_vars)
    return [str(getattr(entry, "name", "")) for entry in env_vars] if isinstance(env_vars, list) else []
