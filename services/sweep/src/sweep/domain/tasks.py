"""What to say of task instances that were read."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from outrider_contracts.airflow import TaskFinished, TaskState
from outrider_contracts.keys import TryKey

from sweep.domain.seen import KnownRun, RunId, SaidTry, SeenTask, Told, TryId, try_of

MOMENT = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC) - MOMENT
"""The last moment that a fact can tell of."""
FAILURES = frozenset({"failed", "up_for_retry"})
AFTERWARDS = {"failed": timedelta(seconds=30), "skipped": timedelta(seconds=30)}
"""Of these ends Airflow writes down when the process was gone, callbacks and listeners included, not when it ended: by
default it has 25 s for them (`[core] task_success_overtime` and the time until it is killed)."""

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
    told: Mapping[TryId, Told],
    *,
    at: datetime,
    patience: timedelta,
) -> dict[SaidTry, TaskFinished]:
    """The ends that nobody told as they are, for the runs that are known; each with what is remembered of it.

    Ends that a listener may tell are left to it for *patience*; a task that never began has none to tell of it. What
    was told otherwise is said again as Airflow has it, a moment after the latest telling, so that it counts.
    """
    plan: dict[SaidTry, TaskFinished] = {}
    for task in tasks:
        end, run = said_try(task), runs.get(task.run)
        if end is None or run is None:
            continue
        before = told.get(try_of(end))
        if before is not None and agrees(task, before):
            continue
        if before is not None and before.latest_at >= end[-1]:
            end = (*end[:-1], min(before.latest_at, _LAST - MOMENT) + MOMENT)
        if task.try_number == 0 or at - end[-1] >= patience:
            plan[end] = _finished(task, run, end)
    return plan


def agrees(task: SeenTask, told: Told) -> bool:
    """Whether what was told of *task* is what Airflow has."""
    end = said_try(task)
    if end is None:
        return True
    *_, number, state, ended_at = end
    if number:
        ended_at -= AFTERWARDS.get(state, timedelta())
    # of a try that was overtaken Airflow's history doesn't say whether its failure was for good
    states = FAILURES if task.overtaken and state in FAILURES else {state}
    return any(told.agrees(state, ended_at) for state in states)


def as_told(earlier: SeenTask, newest: SeenTask) -> SeenTask:
    """An earlier try as it was told when it ended: its history says `failed` where it was up for retry."""
    retried = earlier.state == "failed" and earlier.try_number <= earlier.max_tries
    return SeenTask(
        **{
            **vars(earlier),
            "state": "up_for_retry" if retried else earlier.state,
            "overtaken": True,
            "logical_date": newest.logical_date,
            "run_after": newest.run_after,
        }
    )


def was_read(earlier: SeenTask, run: KnownRun, read_to: datetime, overlap: timedelta) -> bool:
    """Whether an earlier try was dealt with as the newest one, before its run began again: by then what was told of it
    is forgotten. All that was updated before *read_to* has been read.
    """
    ended_at = _ended_at(earlier)
    return ended_at is not None and ended_at < min(read_to, run.started_at - overlap)


def _ended_at(task: SeenTask) -> datetime | None:
    """When it ended. Where Airflow does not say (removed, or skipped because its run took too long) other times stand
    in, which no telling changes.
    """
    return task.end_date or task.start_date or task.run_after


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
        queued_at=task.queued_at,
        scheduled_at=task.scheduled_at,
        logical_date=task.logical_date,
        operator=task.operator,
        queue=task.queue,
        pool=task.pool,
        team_rule=run.whose.rule,
    )
