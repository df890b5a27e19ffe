"""Whether driver and executors fit into a quota, counted as Kubernetes counts."""

from decimal import Decimal
from typing import Any

from outrider_airflow.spark.room import Quota, pod_needs, shortages

GI = 2**30


def container(cpu: str = "1", memory: str = "1Gi", **more: Any) -> dict[str, Any]:
    return {"name": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), "initContainers": list(init)}}


def test_containers_and_sidecars_run_side_by_side() -> None:
    needs = pod_needs(pod(container(), container("500m"), init=(container("250m", restartPolicy="Always"),)))

    assert needs["requests.cpu"] == Decimal("1.75")
    assert needs["requests.memory"] == 3 * GI
    assert needs["pods"] == 1


def test_of_containers_that_run_before_the_largest_counts() -> None:
    """Beside it run the sidecars that were started before it."""
    sidecar = container("1", "1Gi", restartPolicy="Always")

    assert pod_needs(pod(container(), init=(container("3"), container("2"))))["requests.cpu"] == 3
    assert pod_needs(pod(container(), init=(sidecar, container("3"))))["requests.cpu"] == 4
    assert pod_needs(pod(container(), init=(container("3"), sidecar)))["requests.cpu"] == 3


def test_a_limit_without_a_request_is_one() -> None:
    needs = pod_needs(pod({"name": "x", "resources": {"limits": {"cpu": "2"}}}))

    assert needs["requests.cpu"] == 2
    assert needs["limits.cpu"] == 2


def test_what_a_container_leaves_open_is_what_the_namespace_says() -> None:
    defaults = [{"type": "Container", "default": {"memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}]
    needs = pod_needs(pod(container(memory="512Mi"), {"name": "y"}), defaults)

    assert needs["requests.cpu"] == Decimal("1.1")
    assert needs["limits.memory"] == 2 * GI


NEEDS = {"pods": Decimal(1), "requests.memory": Decimal(2 * GI), "requests.cpu": Decimal("1.5")}


def quota(hard: dict[str, str], **used: str) -> list[Quota]:
    return [Quota("team", hard, used)]


def test_what_fits_lacks_nothing() -> None:
    """To the last byte, under either name of a resource; what no pod asks for does not matter."""
    hard = {"pods": "3", "memory": "6Gi", "requests.cpu": "4500m", "count/pods": "3", "configmaps": "0"}

    assert shortages(quota(hard), NEEDS, NEEDS, 2) == []


def test_a_shortage_is_told_in_numbers() -> None:
    (missing,) = shortages(quota({"requests.memory": "8Gi"}, **{"requests.memory": "3Gi"}), NEEDS, NEEDS, 2)

    assert missing.line == (
        "requests.memory: 6Gi needed (driver 2Gi, 2 × executor 2Gi), 5Gi of 8Gi left in quota 'team'"
    )
    assert not missing.for_ever


def test_what_fits_into_no_empty_namespace_is_no_matter_of_waiting() -> None:
    (missing,) = shortages(quota({"pods": "2"}), NEEDS, NEEDS, 2)

    assert missing.for_ever
    assert "3 needed (driver 1, 2 × executor 1), 2 of 2 left" in missing.line


def test_every_shortage_is_told() -> None:
    found = shortages(quota({"pods": "2", "cpu": "4", "memory": "100Gi"}), NEEDS, NEEDS, 2)

    assert [one.line.split(":")[0] for one in found] == ["pods", "cpu"]
