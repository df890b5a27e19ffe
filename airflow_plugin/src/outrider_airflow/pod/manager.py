"""Deals with the pod of one try: all that Airflow's operator does to a pod goes through here, deferred or not."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException, generic_api_retry
from airflow.providers.cncf.kubernetes.utils.pod_manager import (
    PodCommandException,
    PodLogsConsumer,
    PodManager,
    PodPhase,
    detect_pod_terminate_early_issues,
)
from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
from kubernetes import client
from kubernetes.client.rest import ApiException
from urllib3.exceptions import HTTPError

from outrider_airflow.pod import spec
from outrider_airflow.pod.stagers import IN, OUT, end_of, failed_start, stuck_stager

_LINES = 200
_LOOK_SECONDS = 1.0
_KUBELET_LEARNS = (1, 2, 4, 8)
"""Seconds to wait between looks."""


class EnvironmentPodManager(PodManager):
    """A pod with stagers: its Secret comes and goes with it, and it is over only once its outputs are stored."""

    def __init__(
        self,
        kube_client: client.CoreV1Api,
        callbacks: list[type[KubernetesPodOperatorCallback]] | None,
        *,
        files: Callable[[], Mapping[str, str]],
        kill_grace: int,
    ) -> None:
        """*files* are what the pod's Secret holds; *kill_grace*: seconds a pod has to end when it is deleted."""
        super().__init__(kube_client=kube_client, callbacks=callbacks)
        self._files, self._kill_grace = files, kill_grace
        self._starting = False

    def create_pod(self, pod: client.V1Pod) -> client.V1Pod:
        """Create the pod, then the Secret it waits for: as the pod's own it never outlives it, whatever is killed."""
        created = super().create_pod(pod)
        manifest = self._client.api_client.sanitize_for_serialization(pod)
        try:
            self._create_secret(spec.secret(manifest, created.metadata.uid, self._files()))
        except BaseException:
            with suppress(ApiException, HTTPError):
                self.delete_pod(created)
            raise
        return created

    def delete_pod(self, pod: client.V1Pod) -> None:
        """Delete it with the time it has to end when it is killed; its own may be as long as an upload."""
        self._delete(pod.metadata.name, pod.metadata.namespace)

    async def await_pod_start(self, pod: client.V1Pod, *args: Any, **kwargs: Any) -> None:
        """As Airflow's, and give up on stagers whose image can't be had."""
        self._starting = True
        try:
            await super().await_pod_start(pod, *args, **kwargs)
        finally:
            self._starting = False

    def read_pod(self, pod: client.V1Pod) -> client.V1Pod:
        """The pod as it is now."""
        found = super().read_pod(pod)
        if self._starting and (why := stuck_stager(found)):
            raise PodLaunchFailedException(why)
        return found

    def read_pod_logs(self, pod: client.V1Pod, *args: Any, **kwargs: Any) -> PodLogsConsumer:
        """As Airflow's. A kubelet that has just begun to run again does not know its pods for a moment."""
        waits = iter(_KUBELET_LEARNS)
        while True:
            try:
                logs: PodLogsConsumer = super().read_pod_logs(pod, *args, **kwargs)
                return logs
            except ApiException as error:
                seconds = next(waits, None)
                if error.status != 404 or seconds is None:
                    raise
            self.read_pod(pod)  # raises the same where the pod itself is not there
            time.sleep(seconds)

    def await_pod_completion(
        self, pod: client.V1Pod, istio_enabled: bool = False, container_name: str = "base", do_xcom_push: bool = False
    ) -> client.V1Pod:
        """Wait until the outputs are stored, also where Airflow would be content with the job's end; but not for an
        author's sidecar that takes the rest of the time which the pod has for its uploads."""
        hasty = istio_enabled or do_xcom_push
        while True:
            remote = self.read_pod(pod)
            if remote.status.phase in PodPhase.terminal_states or detect_pod_terminate_early_issues(remote):
                return remote
            if end_of(remote, container_name) is not None and (
                end_of(remote, OUT) is not None or (hasty and not self._is_storing(remote, container_name))
            ):
                return remote
            time.sleep(_LOOK_SECONDS)

    def get_init_container_names(self, pod: client.V1Pod) -> list[str]:
        """The author's own: the sidecar is an init container by name only and ends last, ours are told anyway."""
        return [name for name in super().get_init_container_names(pod) if name not in (IN, OUT)]

    def tell(self, pod: client.V1Pod, container: str) -> None:
        """Put what a stager said into the task's log."""
        for line in self.last_lines(pod, container, _LINES):
            self.log.info("[%s] %s", container, line)

    def last_lines(self, pod: client.V1Pod, container: str, lines: int) -> list[str]:
        """What the container said last; nothing where it can't be read (any more)."""
        try:
            said = self._client.read_namespaced_pod_log(
                pod.metadata.name, pod.metadata.namespace, container=container, tail_lines=lines, _preload_content=False
            )
        except (ApiException, HTTPError):
            return []
        text: str = said.data.decode("utf-8", errors="backslashreplace")
        return text.splitlines()

    def _exec_pod_command(self, resp: Any, command: str) -> str | None:
        """As Airflow's, but for its `pgrep`, which the stagers' image has not: what comes late of the complaint would
        end the other way of telling the sidecar for XComs to end, too, and nothing be stored while that one runs."""
        if "pgrep" in command:
            raise PodCommandException("the sidecar's image may have no pgrep")
        said: str | None = super()._exec_pod_command(resp, command)
        return said

    @staticmethod
    def _is_storing(pod: client.V1Pod, base: str) -> bool:
        """Whether the sidecar has been told to end and has not: all of the pod's own containers have ended.

        Airflow's own sidecar for XComs has been told to, and may take a moment.
        """
        others = {container.name for container in pod.spec.containers} - {PodDefaults.SIDECAR_CONTAINER_NAME}
        has_sidecar = any(container.name == OUT for container in pod.spec.init_containers or ())
        return (
            has_sidecar
            and end_of(pod, base) is not None
            and end_of(pod, OUT) is None
            and failed_start(pod) is None
            and all(end_of(pod, name) is not None for name in others)
        )

    @generic_api_retry  # type: ignore[untyped-decorator]  # Airflow's
    def _create_secret(self, secret: spec.Manifest) -> None:
        metadata = secret["metadata"]
        try:
            self._client.create_namespaced_secret(metadata["namespace"], secret)
        except ApiException as error:
            if error.status != 409:  # an earlier attempt of this very call
                raise

    @generic_api_retry  # type: ignore[untyped-decorator]  # Airflow's
    def _delete(self, name: str, namespace: str) -> None:
        try:
            self._client.delete_namespaced_pod(name, namespace, grace_period_seconds=self._kill_grace)
        except ApiException as error:
            if error.status != 404:
                raise
