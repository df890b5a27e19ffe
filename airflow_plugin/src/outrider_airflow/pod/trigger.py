"""Waits in the triggerer until a pod's outputs are stored; Airflow's own trigger is content with the job's end."""

from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.providers.cncf.kubernetes.triggers.pod import ContainerState, KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager, PodPhase

from outrider_airflow.pod.stagers import OUT, end_of, stuck_stager


class EnvironmentPodTrigger(KubernetesPodTrigger):
    """Fires once the pod is over. Killed while deferred, it deletes the pod with the grace of a kill."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The same arguments, under our name, without the connection's secrets: Airflow's database keeps them as they
        are. The triggerer asks for the connection itself."""
        _, arguments = super().serialize()
        return f"{type(self).__module__}.{type(self).__qualname__}", {**arguments, "connection_extras": None}

    def define_pod_container_state(self, pod: Any) -> ContainerState:
        """The job runs on, as it were, while the sidecar stores what it wrote.

        Where another container of the pod goes on, the sidecar waits for that one: then it is for the task to end it
        (Airflow's XCom sidecar), as ever.
        """
        state = super().define_pod_container_state(pod)
        if state not in (ContainerState.TERMINATED, ContainerState.FAILED):
            return state
        if pod.status.phase in PodPhase.terminal_states:
            return state
        stores = any(container.name == OUT for container in pod.spec.init_containers or ())
        others_ended = all(end_of(pod, container.name) is not None for container in pod.spec.containers)
        return ContainerState.RUNNING if stores and others_ended and end_of(pod, OUT) is None else state

    @cached_property
    def pod_manager(self) -> AsyncPodManager:
        """Gives up on stagers whose image can't be had."""
        return _PodManager(async_hook=self.hook)


class _PodManager(AsyncPodManager):
    async def read_pod(self, pod: Any) -> Any:
        found = await super().read_pod(pod)
        if why := stuck_stager(found):
            raise PodLaunchFailedException(why)
        return found
