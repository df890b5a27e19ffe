"""Everything Spark makes in a namespace, found by its labels and cleared; also what a lost driver has left."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from kubernetes.client.rest import ApiException

from outrider_airflow.spark.conf import APP, ROLE

_GRACE_SECONDS = 5
_PAUSE_SECONDS = 0.5
_OVER = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True)
class Made:
    """One thing of Spark's in the namespace."""

    application: str
    role: str
    over: bool = False
    """A pod that has ended."""


def lost(made: Iterable[Made], ours: str = "outrider-") -> frozenset[str]:
    """Applications whose driver is gone or has ended, and of which something is left. Those of others are let be."""
    things = [one for one in made if one.application.startswith(ours)]
    driven = {one.application for one in things if one.role == "driver" and not one.over}
    return frozenset(one.application for one in things if one.role != "driver") - driven


class Leftovers:
    """What Spark made in one namespace. Every method may be repeated with the same result."""

    def __init__(self, core: client.CoreV1Api, namespace: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._core, self._namespace, self._wait = core, namespace, wait

    def clear(self, application: str, *, within: float) -> list[str]:
        """Delete all of it but the driver's pod. Gives what is still there after *within* seconds."""
        chosen = {"label_selector": f"{APP}={application},{ROLE}!=driver"}
        ends = time.monotonic() + within
        while True:
            for delete in self._deletions():
                with _where_allowed():
                    delete(self._namespace, **chosen, grace_period_seconds=_GRACE_SECONDS)
            left = [f"{kind} {one.metadata.name}" for kind, one in self._listed(chosen["label_selector"])]
            if not left or time.monotonic() >= ends:
                return left
            self._wait(_PAUSE_SECONDS)

    def lost(self) -> frozenset[str]:
        """Applications of ours whose driver no longer runs."""
        return lost(
            Made(
                one.metadata.labels[APP],
                one.metadata.labels.get(ROLE, ""),
                kind == "pod" and one.status.phase in _OVER,
            )
            for kind, one in self._listed(APP)
        )

    def _deletions(self) -> tuple[Callable[..., Any], ...]:
        core = self._core
        return (
            core.delete_collection_namespaced_pod,
            core.delete_collection_namespaced_service,
            core.delete_collection_namespaced_config_map,
            core.delete_collection_namespaced_persistent_volume_claim,
        )

    def _listed(self, selector: str) -> Iterator[tuple[str, Any]]:
        core = self._core
        lists = {  # a driver is there before what it makes: looked for last, it is not taken for one that is gone
            "service": core.list_namespaced_service,
            "configmap": core.list_namespaced_config_map,
            "persistentvolumeclaim": core.list_namespaced_persistent_volume_claim,
            "pod": core.list_namespaced_pod,
        }
        for kind, listing in lists.items():
            with _where_allowed():
                for one in listing(self._namespace, label_selector=selector).items:
                    yield kind, one


@contextmanager
def _where_allowed() -> Iterator[None]:
    """What the team's account may not even look at, its driver could not make; all is the driver's own besides."""
    try:
        yield
    except ApiException as error:
        if error.status != 403:
            raise
