"""What to say of task instances that were read."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import cast

from outrider_contracts.airflow import TaskFinished, TaskState
from outrider_contracts.keys import TryKey

from sweep.domain.seen import KnownRun, RunId, SaidTry, SeenTask

TOLD_STATES = frozenset({"success", "failed", "up_for_retry", "skipped", "upstream_failed", "removed"})
"""States that end a try. Airflow's state is the truth: a task that was lost is `failed` there."""


def said_try(task: SeenTask) -> SaidTry | None:
    """What a row amounts to, None where it ended nothing (or does not say when)."""
    ended_at = _ended_at(task)
    if task.state not in TOLD_STATES or ended_at is None:
        return None
    return (task.dag_id, task.run_id, task.task_id, task.map_index, task.try_number, task.state, ended_at)


def told_try(fact: TaskFinished) -> SaidTry:
    """The same of a fact that somebody told."""
    task = fact.task
    return (task.dag_id, task.run_id, task.task_id, task.map_index, task.try_number, fact.state, fact.finished_at)


def plan_tasks(
    tasks: Collection[SeenTask],
    runs: Mapping[RunId, KnownRun],
    told: Collection[SaidTry],
    *,
    at: datetime,
    patience: timedelta,
) -> dict[SaidTry, TaskFinished]:
    """The ends that nobody told, for the runs that are known; each with what is remembered of it.

    Ends that a listener may tell are left to it for *patience*; a task that never began has none to tell of it.
    """
    plan: dict[SaidTry, TaskFinished] = {}
    for task in tasks:
        end, run = said_try(task), runs.get(task.run)
        if end is None or run is None or end in told:
            continue
        if task.try_number == 0 or at - end[-1] >= patience:
            plan[end] = _finished(task, run, end)
    return plan


def as_told(earlier: SeenTask, newest: SeenTask) -> SeenTask:
    """An earlier try as it was told when it ended: its history says `failed` where it was up for retry."""
    retried = earlier.state == "failed" and earlier.try_number <= earlier.max_tries
    return SeenTask(
        **{
            **vars(earlier),
            "state": "up_for_retry" if retried else earlier.state,
            "logical_date": newest.logical_date,
            "run_after": newest.run_after,
        }
    )


def _ended_at(task: SeenTask) -> datetime | None:
    """When it ended; a removed task never says, so its other times stand in, which no telling changes."""
    if task.end_date is not None or task.state != "removed":
        return task.end_date
    return task.start_date or task.run_after


def _finished(task: SeenTask, run: KnownRun, end: SaidTry) -> TaskFinished:
    *_, state, ended_at = end
    return TaskFinished(
        task=TryKey(
            team=run.whose.team,
            dag_id=task.dag_id,
            run_id=task.run_id,
            task_id=task.task_id,
            map_index=task.map_index,
            try_number=task.try_number,
        ),
        run_started_at=run.started_at,
        state=cast(TaskState, state),
        finished_at=ended_at,
        started_at=task.start_date,
        logical_date=task.logical_date,
        operator=task.operator,
    )
