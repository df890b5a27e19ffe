"""What becomes of a pod that did not end by itself, and which error its task fails with."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import PodLaunchFailedException
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from kubernetes.client import CoreV1Api, V1ObjectMeta, V1Pod, V1PodStatus
from outrider_airflow import ExecutionEnvironmentOperator
from outrider_airflow.attempt import Attempt
from outrider_airflow.errors import JobFailed
from outrider_airflow.pod.manager import EnvironmentPodManager
from outrider_airflow.pod.plan import RUN_STARTED_AT, TRY
from outrider_contracts.keys import TryKey
from pods.test_outcome import RUNNING, seen
from pods.test_stagers import terminated

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Manager(EnvironmentPodManager):
    """Shows a pod that stays as it is, and says nothing."""

    def __init__(self) -> None:
        super().__init__(cast("CoreV1Api", None), [], files=dict, kill_grace=30)
        self.deleted: list[str] = []

    def delete_pod(self, pod: V1Pod) -> None:
        self.deleted.append(pod.metadata.name)

    def read_pod(self, pod: V1Pod) -> V1Pod:
        return pod

    def tell(self, pod: V1Pod, container: str) -> None: ...

    def last_lines(self, pod: V1Pod, container: str, lines: int) -> list[str]:
        return []


class Operator(ExecutionEnvironmentOperator):
    """Has no cluster."""

    pod_manager = Manager()

    def patch_already_checked(self, pod: V1Pod, *, reraise: bool = True) -> None: ...

    def process_pod_deletion(self, pod: V1Pod, *, reraise: bool = True) -> bool:
        return True


def wait(pod: V1Pod, ended_by: BaseException | None = None) -> None:
    """As Airflow's operator does: whatever ends the wait, the pod is put away."""
    operator = Operator(task_id="work", image="x", log_events_on_failure=False)
    try:
        if ended_by is not None:
            raise ended_by
    finally:
        operator.cleanup(pod, pod)


@pytest.mark.parametrize("ended_by", [AirflowTaskTimeout("Timeout, PID: 7"), PodLaunchFailedException("no image")])
def test_what_ended_the_wait_is_what_the_task_fails_with(ended_by: BaseException) -> None:
    """Airflow's own words for any pod that has not succeeded are that it "returned a failure"."""
    with pytest.raises(type(ended_by)) as failed:
        wait(seen(base=RUNNING, out=RUNNING, proxy=RUNNING), ended_by)

    assert failed.value is ended_by


def test_a_job_that_has_failed_itself_is_told_before_what_ended_the_wait() -> None:
    with pytest.raises(JobFailed, match="exit code 3"):
        wait(seen(base=terminated(3), out=terminated(0), proxy=RUNNING), AirflowTaskTimeout("Timeout, PID: 7"))


def test_a_pod_that_failed_without_a_word_of_ours_is_told_in_airflows() -> None:
    with pytest.raises(AirflowException, match="returned a failure"):
        wait(seen(base=RUNNING, out=RUNNING, proxy=RUNNING, phase="Failed"))


class Store(dict[str, Any]):
    """The task's state, as Airflow keeps it over its processes."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


@pytest.mark.parametrize("durable", [True, False])
def test_a_pod_whose_trigger_failed_is_deleted(durable: bool) -> None:
    """Also where no other try is to go on with it: nobody looks after it any more."""
    pod = V1Pod(metadata=V1ObjectMeta(name="work-x", namespace="ads", labels={"try_number": "1"}))
    context = cast("Any", {"task_state_store": Store(), "ti": SimpleNamespace(try_number=1)})
    before, after = (Operator(task_id="work", image="x", durable=durable) for _ in range(2))
    after.__dict__["hook"] = SimpleNamespace(get_pod=lambda *_: pod)
    after.__dict__["pod_manager"] = Manager()

    before._keep(context, pod, 1)
    after._abandon(context)

    assert after.pod_manager.deleted == ["work-x"]


@pytest.mark.parametrize(
    ("begun", "deleted", "found"), [(True, None, True), (True, NOW, False), (False, None, False)]
)  # fmt: skip
def test_a_try_goes_on_only_with_a_pod_that_has_begun_and_stays(
    begun: bool, deleted: datetime | None, found: bool
) -> None:
    """A drained node takes worker and pod alike: the job is told to end, and its task would fail with it. And a worker
    that is lost in between leaves a pod that waits for its Secret in vain."""
    labels, annotations = {"try_number": "1"}, {RUN_STARTED_AT: NOW.isoformat(), TRY: "1"}
    pod = seen(base=RUNNING, out=RUNNING, proxy=RUNNING)
    if not begun:
        pod.status = V1PodStatus(phase="Pending")
    pod.metadata = V1ObjectMeta(
        name="work-x", namespace="ads", labels=labels, annotations=annotations, deletion_timestamp=deleted
    )
    context = cast("Any", {"task_state_store": Store(), "ti": SimpleNamespace(try_number=2)})
    task = TryKey(team="ads", dag_id="daily", run_id="r", task_id="work", map_index=-1, try_number=2)
    operator = Operator(task_id="work", image="x")
    operator.__dict__ |= {"hook": SimpleNamespace(get_pod=lambda *_: pod), "pod_manager": Manager()}
    operator._keep(context, pod, 1)

    assert (operator._left_behind(Attempt(task, NOW, NOW, NOW), context) is pod) is found
