"""Pods whose worker was lost: the task's next try goes on with its own, and puts away what other tasks left."""

from datetime import UTC, datetime
from functools import partial

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnFinishAction, PodPhase
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from kubernetes.client import V1Pod
from kubernetes.client.rest import ApiException
from outrider_contracts.keys import TaskKey
from urllib3.exceptions import HTTPError

from outrider_airflow.attempt import Attempt
from outrider_airflow.client import StorageClient
from outrider_airflow.pod.leftovers import left_over
from outrider_airflow.pod.plan import RUN_STARTED_AT, TRY

_TRY = "outrider_try"
"""Key in the task's state store: whose try the pod is that a deferral waits for."""
_BEST_EFFORT_SECONDS = 2.0


class ReattachingPodOperator(KubernetesPodOperator):
    """Airflow's, which also knows whose try a pod is."""

    def _left_behind(self, attempt: Attempt, context: Context) -> V1Pod | None:
        """The pod of an earlier try that goes on, or ended well, although its worker is lost; another is put away."""
        if not self.durable:
            return None
        pod = self._get_pod_from_task_state_store(context)
        if pod is None and attempt.task.try_number > 1:
            namespace = self.namespace or self.hook.get_namespace()
            pod = self.find_pod(namespace, context=context) if namespace else None
        if pod is None:
            return None
        annotations = pod.metadata.annotations or {}
        same_run = annotations.get(RUN_STARTED_AT) == attempt.run_started_at.isoformat()
        if same_run and TRY in annotations and (_goes_on(pod) or pod.status.phase == PodPhase.SUCCEEDED):
            return pod
        self._leave(pod)
        return None

    def _leave(self, pod: V1Pod) -> None:
        self.patch_already_checked(pod, reraise=False)
        if pod.status.phase in PodPhase.terminal_states:
            self.process_pod_deletion(pod, reraise=False)
        elif self.on_finish_action != OnFinishAction.KEEP_POD:
            self.pod_manager.delete_pod(pod)

    def _keep(self, context: Context, pod: V1Pod, try_number: int) -> None:
        """Have it found by whoever goes on: after a deferral, or as the next try."""
        store = context.get("task_state_store")
        if store is not None:
            store.set(_TRY, try_number)
            self._persist_pod_identity_to_task_state_store(context, pod)

    def _kept_try(self, context: Context) -> int | None:
        """Whose try the kept pod is."""
        store = context.get("task_state_store")
        kept = None if store is None else store.get(_TRY)
        return kept if isinstance(kept, int) else None

    def _abandon(self, context: Context) -> None:
        """Delete the pod that was waited for; nobody looks after it any more."""
        try:
            pod = self._get_pod_from_task_state_store(context)
            if pod is not None and self.on_finish_action != OnFinishAction.KEEP_POD:
                self.pod_manager.delete_pod(pod)
        except Exception as error:  # noqa: BLE001  the trigger's error is what matters
            self.log.warning("The pod could not be deleted: %s", error)

    def _clear_leftovers(self, own: TaskKey, storage: StorageClient) -> None:
        """Delete pods of the team's other tasks whose try is over and that nobody looks after any more."""
        try:
            namespace = self.namespace or self.hook.get_namespace()
            if not namespace:
                return
            chosen = self.client.list_namespaced_pod(namespace, label_selector="kubernetes_pod_operator=True").items
            environments_of = partial(storage.environments, within=_BEST_EFFORT_SECONDS)
            for pod, one in left_over(chosen, own, environments_of, datetime.now(UTC)):
                self.log.info(
                    "Deleting pod %s: try %d of %s is over", pod.metadata.name, one.try_number, one.task.label
                )
                self.pod_manager.delete_pod(pod)
        except (ApiException, HTTPError, AirflowException) as error:
            self.log.warning("What lost tries left could not be cleared now: %s", error)


def _goes_on(pod: V1Pod) -> bool:
    """Whether it works. Where nothing of it has begun, its worker may have been lost before the pod had its Secret."""
    if pod.status.phase in PodPhase.terminal_states or pod.metadata.deletion_timestamp is not None:
        return False
    statuses = (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    return any(status.state.running or status.state.terminated for status in statuses)
