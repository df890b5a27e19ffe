"""Airflow's REST API as the sweep sees it."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from outrider_chassis.airflow import AirflowApi, Run, TaskInstance
from outrider_chassis.airflow_rows import LogEntry

from sweep.domain.seen import Page, RunId, SeenRun, SeenTask, TaskId
from sweep.domain.tasks import TOLD_STATES

_DELETING = ("bulk_dag_runs", "delete_dag", "delete_dag_run")
"""What Airflow's log calls the requests that delete runs."""


class RestAirflow:
    """Reads through `/api/v2`; pages follow Airflow's row ids, which never change."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api

    async def runs(self, since: datetime, page: str) -> Page[SeenRun]:
        """One page of runs updated at *since* or later."""
        got = await self._api.runs_page(cursor=page, updated_since=since)
        return Page(tuple(map(_run, got.items)), got.next, got.at)

    async def ended_tasks(self, since: datetime, page: str) -> Page[SeenTask]:
        """One page of task instances that ended (a try) and were updated at *since* or later."""
        got = await self._api.task_instances_page(cursor=page, updated_since=since, states=TOLD_STATES)
        return Page(tuple(map(_task, got.items)), got.next, got.at)

    async def deletions(self, since: datetime, page: str) -> Page[RunId]:
        """One page of runs that were to be deleted."""
        got = await self._api.log_page(events=_DELETING, since=since, cursor=page)
        return Page(tuple(run for entry in got.items for run in _deleted(entry)), got.next, got.at)

    async def run(self, run: RunId) -> SeenRun | None:
        """The run as it is now."""
        found = await self._api.run(*run)
        return None if found is None else _run(found)

    async def tries(self, run: RunId, task: TaskId | None = None) -> AsyncIterator[SeenTask]:
        """Every try of *task*, or the newest try of every task."""
        if task is None:
            async for each in self._api.task_instances(*run):
                yield _task(each)
        else:
            for each in await self._tries(task):
                yield _task(each)

    async def _tries(self, task: TaskId) -> list[TaskInstance]:
        """The newest last. Of one that is up for retry Airflow gives the history alone, which says `failed`."""
        dag_id, run_id, task_id, map_index = task
        tries = sorted(await self._api.tries(*task), key=lambda each: each.try_number)
        if not tries or tries[-1].state != "failed":
            return tries
        now = self._api.task_instances(dag_id, run_id, task_id=task_id, states=("up_for_retry",))
        newest = (map_index, tries[-1].try_number)
        waiting = [each async for each in now if (each.map_index, each.try_number) == newest]
        return [*tries[:-1], *(waiting or tries[-1:])]


def _deleted(entry: LogEntry) -> Iterator[RunId]:
    """The runs an entry is about. Those of a request for many stand in its body, as ids or as objects.

    Airflow writes a body down before it looks at it: what is no name, no run has, and no table takes.
    """
    if entry.event != "bulk_dag_runs":
        yield (entry.dag_id or "", entry.run_id or "")
        return
    try:
        actions = json.loads(entry.extra or "{}").get("actions", ())
        for each in (each for action in actions if action["action"] == "delete" for each in action["entities"]):
            told = {"dag_run_id": each} if isinstance(each, str) else each
            run = (told.get("dag_id") or entry.dag_id or "", told["dag_run_id"])
            if all(isinstance(name, str) and name.isprintable() for name in run):
                yield run
    except (ValueError, LookupError, TypeError, AttributeError):  # whatever somebody sent: they are asked after later
        return


def _run(run: Run) -> SeenRun:
    version = run.dag_version
    return SeenRun(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=run.state,
        run_type=run.run_type,
        run_after=run.run_after,
        queued_at=run.queued_at,
        start_date=run.start_date,
        end_date=run.end_date,
        logical_date=run.logical_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        dag_version=version.id if version else "",
        bundle=(version.bundle_name or "") if version else "",
        bundle_version=run.bundle_version,
    )


def _task(task: TaskInstance) -> SeenTask:
    return SeenTask(
        dag_id=task.dag_id,
        run_id=task.run_id,
        task_id=task.task_id,
        map_index=task.map_index,
        try_number=task.try_number,
        max_tries=task.max_tries,
        state=task.state,
        start_date=task.start_date,
        end_date=task.end_date,
        logical_date=task.logical_date,
        run_after=task.run_after,
        operator=task.operator or "",
        bundle=task.bundle_name or "",
        queue=task.queue or "",
        pool=task.pool or "",
        queued_at=task.queued_at,
        scheduled_at=task.scheduled_at,
    )
