"""What is read off a pod's containers: a sidecar's end does not stand in the pod's phase."""

from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import V1Pod
from outrider_airflow.pod.stagers import Ended, end_of, failed_start, stuck_stager


def terminated(exit_code: int, message: str | None = None, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": reason, **({"message": message} if message else {})}}


def _init(name: str) -> dict[str, str]:
    return {"name": name, **({} if name in ("outrider-in", "own") else {"restartPolicy": "Always"})}


def pod(init: dict[str, dict[str, Any]], base: dict[str, Any] | None = None) -> V1Pod:
    def status(name: str, states: dict[str, Any]) -> dict[str, Any]:
        last = states.pop("last", {})
        return {
            "name": name, "image": "x", "imageID": "x", "ready": False, "restartCount": 0, "state": states,
            "lastState": last,
        }  # fmt: skip

    return PodGenerator.deserialize_model_dict(
        {
            "metadata": {"name": "p"},
            "spec": {"initContainers": [_init(name) for name in init], "containers": [{"name": "base"}]},
            "status": {
                "initContainerStatuses": [status(name, dict(states)) for name, states in init.items()],
                "containerStatuses": [status("base", base or {"waiting": {"reason": "PodInitializing"}})],
            },
        }
    )


def test_a_stager_that_failed_is_found_with_its_message() -> None:
    """The pod's own reason and message are empty then."""
    found = pod({"outrider-in": terminated(1, "input 'orders': no manifest"), "outrider-out": {"waiting": {}}})

    assert failed_start(found) == Ended("outrider-in", 1, "input 'orders': no manifest")


def test_a_sidecar_in_back_off_has_ended() -> None:
    """Should the job end meanwhile, nothing is stored, and the pod succeeds all the same."""
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}, "last": terminated(4, "died")}

    assert end_of(pod({"outrider-out": waiting}), "outrider-out") == Ended("outrider-out", 4, "died")


def test_a_sidecar_that_was_never_found_again_tells_what_it_said_last() -> None:
    lost = {**terminated(137, None, "ContainerStatusUnknown"), "last": terminated(4, "died")}

    assert end_of(pod({"outrider-out": lost}), "outrider-out") == Ended("outrider-out", 137, "died")


@pytest.mark.parametrize("sidecar", ["outrider-out", "proxy"])
def test_a_sidecar_that_failed_is_no_failed_start(sidecar: str) -> None:
    """Neither ours nor the author's, which SIGTERM ends with 143."""
    found = pod({"outrider-in": terminated(0), sidecar: terminated(143, "no")}, terminated(0))

    assert failed_start(found) is None


def test_an_authors_init_container_that_failed_is_one() -> None:
    found = pod({"outrider-in": terminated(0), "own": terminated(2, "no"), "outrider-out": {"waiting": {}}})

    assert failed_start(found) == Ended("own", 2, "no")


@pytest.mark.parametrize("state", [{"running": {}}, {"waiting": {"reason": "PodInitializing"}}])
def test_what_runs_or_waits_has_not_ended(state: dict[str, Any]) -> None:
    assert end_of(pod({"outrider-out": state}), "outrider-out") is None


def test_an_image_that_will_never_be_there_is_not_waited_for() -> None:
    """Airflow looks at the job's own container only, which merely waits."""
    stuck = pod({"outrider-in": {"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}}})

    assert "ErrImageNeverPull: not present" in str(stuck_stager(stuck))
    assert stuck_stager(pod({"outrider-in": {"running": {}}})) is None
