"""Pods that nobody looks after any more: their try is over and its worker is lost, or its deferral came too late."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from outrider_contracts.holdings import Environments
from outrider_contracts.keys import TaskKey

from outrider_airflow.pod.plan import RUN_STARTED_AT, TASK, TRY

_OVER = ("Succeeded", "Failed")
_YOUNG = timedelta(minutes=10)
"""A pod that works is nearly always looked after: no task asks about those that began just now."""
_ASKED_ABOUT = 10
"""Pods that one task asks about."""


@dataclass(frozen=True)
class Tried:
    """Whose pod it is."""

    task: TaskKey
    try_number: int
    run_started_at: datetime


def tried(pod: Any) -> Tried | None:
    """Whose pod it is; None of one that is not ours to delete, or is being deleted."""
    annotations = pod.metadata.annotations or {}
    if TASK not in annotations or pod.metadata.deletion_timestamp is not None:
        return None
    try:
        return Tried(
            TaskKey.model_validate_json(annotations[TASK]),
            int(annotations[TRY]),
            datetime.fromisoformat(annotations[RUN_STARTED_AT]),
        )
    except (KeyError, ValueError):
        return None


def is_over(one: Tried, environments: Environments) -> bool:
    """Whether the try is sealed: a worker deletes its pod before that, so nobody will. What is unknown is let be."""
    return any(
        (found.task, found.try_number, found.run_started_at) == (one.task, one.try_number, one.run_started_at)
        and found.state == "sealed"
        for found in environments.environments
    )


def in_question(pods: Iterable[Any], own: TaskKey, now: datetime) -> list[tuple[Any, Tried]]:
    """Pods of other tasks that might be left, with whose they are; first those that have ended, then the oldest."""
    found = [
        (pod, one)
        for pod in pods
        if (one := tried(pod)) is not None
        and one.task != own
        and (pod.status.phase in _OVER or now - pod.metadata.creation_timestamp > _YOUNG)
    ]
    return sorted(found, key=lambda each: (each[0].status.phase not in _OVER, each[0].metadata.creation_timestamp))


def left_over(
    pods: Iterable[Any], own: TaskKey, environments_of: Callable[[TaskKey], Environments], now: datetime
) -> Iterator[tuple[Any, Tried]]:
    """Pods of other tasks whose try is over, of a few in question; each is asked about when its turn comes."""
    for pod, one in in_question(pods, own, now)[:_ASKED_ABOUT]:
        if is_over(one, environments_of(one.task)):
            yield pod, one
