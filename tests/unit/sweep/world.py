"""A small Airflow at a fixed time, and a sweep over it."""

from datetime import UTC, datetime, timedelta

from outrider_contracts.event import Event
from sweep.adapters.memory import FixedTeams, MemoryAirflow, MemoryNotebook
from sweep.cases import Sweep, Terms
from sweep.domain.seen import SeenRun, SeenTask

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def seen_run(
    state: str = "running",
    *,
    started: float | None = 0,
    ended: float | None = None,
    queued: float = -1,
    dag: str = "daily",
    run_id: str = "r1",
) -> SeenRun:
    return SeenRun(
        dag_id=dag,
        run_id=run_id,
        state=state,
        run_type="manual",
        run_after=at(-1),
        queued_at=at(queued),
        start_date=None if started is None else at(started),
        end_date=None if ended is None else at(ended),
        bundle="ads" if dag != "foreign" else "elsewhere",
    )


def seen_task(
    task_id: str,
    state: str | None,
    *,
    try_number: int = 1,
    max_tries: int = 0,
    started: float | None = 1,
    ended: float | None = 2,
    map_index: int = -1,
    dag: str = "daily",
) -> SeenTask:
    return SeenTask(
        dag_id=dag,
        run_id="r1",
        task_id=task_id,
        map_index=map_index,
        try_number=try_number,
        max_tries=max_tries,
        state=state,
        start_date=None if started is None else at(started),
        end_date=None if ended is None else at(ended),
        run_after=at(-1),
        bundle="ads" if dag != "foreign" else "elsewhere",
    )


class World:
    """Airflow, the sweep's notebook and the sweep; `said` gives what the last rounds said."""

    def __init__(self, notebook: MemoryNotebook | None = None) -> None:
        self.airflow = MemoryAirflow(at(0))
        self.notebook = notebook or MemoryNotebook(at(-60))
        self.sweep = self.another()
        self._told = 0

    def another(self) -> Sweep:
        """A second sweep over the same Airflow and notebook."""
        return Sweep(
            self.airflow, FixedTeams({"ads": "ads"}), self.notebook, self.notebook, Terms(), lambda: self.airflow.clock
        )

    async def said(self, when: float) -> list[Event]:
        """What a round at *when* says."""
        self.airflow.clock = at(when)
        await self.sweep.round()
        fresh = self.notebook.facts[self._told :]
        self._told = len(self.notebook.facts)
        return fresh
