"""Whether a namespace's quota has room for a driver and its executors, asked before any of them is made. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from outrider_airflow.pod.spec import Manifest

Amounts = Mapping[str, Decimal]
_ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Quota:
    """What a ResourceQuota allows, and what of it is taken."""

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]


@dataclass(frozen=True)
class Shortage:
    """One resource there is too little of."""

    line: str
    for_ever: bool
    """It would not fit into an empty namespace either."""


def pod_needs(pod: Manifest, defaults: Sequence[Mapping[str, Any]] = ()) -> Amounts:
    """What a quota counts of the pod. *defaults*: the limits of kind Container that the namespace's LimitRanges name.

    The rule for init containers is Kubernetes' own: those that go on count with the rest, of the others the largest.
    """
    spec = pod["spec"]
    sidecars: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _counted(container, defaults)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, own)
            largest = _larger(largest, sidecars)
        else:
            largest = _larger(largest, _sum(sidecars, own))
    running = sidecars
    for container in spec["containers"]:
        running = _sum(running, _counted(container, defaults))
    return {"pods": Decimal(1), **_larger(running, largest)}


def shortages(quotas: Sequence[Quota], driver: Amounts, executor: Amounts, executors: int) -> list[Shortage]:
    """All that is missing, in words; nothing where all of it fits."""
    found = []
    for quota in quotas:
        for name, hard in quota.hard.items():
            resource = _ALIASES.get(name, name)
            if resource not in driver and resource not in executor:
                continue
            one, each = driver.get(resource, _NOTHING), executor.get(resource, _NOTHING)
            needed, allowed = one + executors * each, parse_quantity(hard)
            left = allowed - parse_quantity(quota.used.get(name, "0"))
            if needed > left:
                of_all, of_one, of_each = (_spell(resource, amount) for amount in (needed, one, each))
                line = (
                    f"{name}: {of_all} needed (driver {of_one}, {executors} × executor {of_each}), "
                    f"{_spell(resource, max(left, _NOTHING))} of {hard} left in quota {quota.name!r}"
                )
                found.append(Shortage(line, for_ever=needed > allowed))
    return found


def _counted(container: Manifest, defaults: Sequence[Mapping[str, Any]]) -> Amounts:
    """What one container asks for and may take. A limit without a request is the request, too."""
    resources = container.get("resources") or {}
    limits = dict(resources.get("limits") or {})
    requests = {**limits, **(resources.get("requests") or {})}
    for default in defaults:
        limits = {**(default.get("default") or {}), **limits}
        requests = {**(default.get("defaultRequest") or {}), **requests}
    told = {"requests": requests, "limits": limits}
    return {f"{kind}.{name}": parse_quantity(value) for kind, each in told.items() for name, value in each.items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, _NOTHING) + other.get(name, _NOTHING) for name in {*one, *other}}


def _larger(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, _NOTHING), other.get(name, _NOTHING)) for name in {*one, *other}}


def _spell(resource: str, amount: Decimal) -> str:
    if resource.endswith(("memory", "storage")):
        return f"{amount / 2**30:.2f}".rstrip("0").rstrip(".") + "Gi"
    return f"{amount:.3f}".rstrip("0").rstrip(".")
