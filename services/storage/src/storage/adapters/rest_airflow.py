"""Airflow's own word over its REST API."""

from collections.abc import Sequence

from outrider_chassis.airflow import AirflowApi, TaskInstance
from outrider_contracts.keys import RunKey, TryKey

from storage.domain.removal import AirflowRun

_LIVE = ("scheduled", "queued", "running", "restarting", "deferred", "up_for_retry", "up_for_reschedule",
         "awaiting_input")  # fmt: skip
_AT_WORK = tuple(state for state in _LIVE if state != "up_for_retry")


class RestAirflow:
    """Airflow over AirflowApi."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api

    async def run(self, run: RunKey) -> AirflowRun | None:
        found = await self._api.run(run.dag_id, run.run_id)
        if found is None:
            return None
        live = 0
        async for _ in self._api.task_instances(run.dag_id, run.run_id, states=_LIVE):
            live += 1
        return AirflowRun(found.state, found.ended, found.start_date, live, found.end_date)

    async def at_work(self, tried: TryKey) -> bool:
        found = self._api.task_instances(tried.dag_id, tried.run_id, task_id=tried.task_id, states=_AT_WORK)
        return any([(one.map_index, one.try_number) == (tried.map_index, tried.try_number) async for one in found])

    async def map_indexes(self, run: RunKey, task_id: str) -> Sequence[int]:
        found = self._api.task_instances(run.dag_id, run.run_id, task_id=task_id)
        return sorted({one.map_index async for one in found if not _partless(one)})


def _partless(instance: TaskInstance) -> bool:
    """No part: taken away, or what is left of a mapped task that expanded over nothing."""
    return instance.state == "removed" or (instance.map_index < 0 and instance.state == "skipped")
