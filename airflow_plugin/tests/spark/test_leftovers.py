"""Whose executors may be cleared: those whose driver runs no longer, and of ours only."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from kubernetes.client import CoreV1Api, V1ObjectMeta, V1Pod, V1PodStatus
from outrider_airflow.spark.conf import APP, ROLE
from outrider_airflow.spark.leftovers import Leftovers, Made, lost


def test_what_a_running_driver_made_is_let_be() -> None:
    assert lost([Made("outrider-1", "driver"), Made("outrider-1", "executor")]) == set()


def test_what_a_driver_left_that_has_ended_or_is_gone_is_lost() -> None:
    """A pod that was kept is not cleared itself: somebody wants to look at it."""
    kept = [Made("outrider-1", "driver", over=True), Made("outrider-1", "executor", over=True)]

    assert lost([*kept, Made("outrider-2", "")]) == {"outrider-1", "outrider-2"}
    assert lost([Made("outrider-3", "driver", over=True)]) == set()


def test_applications_that_others_started_are_let_be() -> None:
    assert lost([Made("spark-0123", "executor")]) == set()


class Namespace:
    """A namespace in which a whole application begins right after something of it was looked at for the first time."""

    def __init__(self) -> None:
        self._there: dict[str, list[V1Pod]] = {}

    def __getattr__(self, asked: str) -> Callable[..., SimpleNamespace]:
        def listed(*_: object, **__: object) -> SimpleNamespace:
            found = self._there.get(asked, [])
            self._there = {
                "list_namespaced_pod": [_thing("driver", V1PodStatus(phase="Running"))],
                "list_namespaced_config_map": [_thing("executor")],
            }
            return SimpleNamespace(items=found)

        return listed


def _thing(role: str, status: V1PodStatus | None = None) -> V1Pod:
    return V1Pod(metadata=V1ObjectMeta(name="a", labels={APP: "outrider-1", ROLE: role}), status=status)


def test_an_application_that_begins_while_it_is_looked_for_leftovers_is_none() -> None:
    """Each kind is listed by a call of its own; what was made first is looked at last."""
    assert Leftovers(cast(CoreV1Api, Namespace()), "outrider-team-ads").lost() == set()
