"""What the sweep needs from outside."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Protocol

from sweep.domain.seen import (
    Cursor,
    KnownRun,
    Outcome,
    Page,
    Pass,
    RunId,
    SeenRun,
    SeenTask,
    TaskId,
    TeamRun,
    Told,
    TryId,
    Whose,
)


class Airflow(Protocol):
    """Airflow's own word. Every method raises the bus' UnavailableError where Airflow gives no clear answer."""

    async def runs(self, since: datetime, page: str) -> Page[SeenRun]:
        """Runs updated at *since* or later, in an order that does not move while pages are read."""

    async def ended_tasks(self, since: datetime, page: str) -> Page[SeenTask]:
        """Task instances in a state that ends a try, updated at *since* or later; the newest try of each."""

    async def deletions(self, since: datetime, page: str) -> Page[RunId]:
        """Runs that somebody wanted Airflow to delete after *since*, whatever came of it; without run_id all of the
        DAG. What is deleted behind Airflow's back is not among them."""

    async def run(self, run: RunId) -> SeenRun | None:
        """The run; None where Airflow says that it has no such run."""

    def tries(self, run: RunId, task: TaskId | None = None) -> AsyncIterator[SeenTask]:
        """Every try of *task*, the newest last; without one, the newest try of every task of the run."""


class Teams(Protocol):
    """Whose DAG it is."""

    async def of(self, dag_id: str, bundle: str) -> Whose | None:
        """The team of a DAG in *bundle*; None where no known team has it."""


class Notebook(Protocol):
    """What was said, by us and by others."""

    async def known(self, runs: Collection[TeamRun]) -> dict[TeamRun, KnownRun]:
        """What is known of *runs*."""

    async def told(self, tries: Collection[TryId]) -> dict[TryId, Told]:
        """What was told lately of the ends of *tries*."""

    async def due(self, limit: int) -> list[KnownRun]:
        """Runs that Airflow was not asked about for long, open ones and missing ones sooner."""

    async def doubted(self, limit: int) -> list[TaskId]:
        """Tasks with a try whose end was told in several ways, once the others have had time to say all they say."""

    async def write(self, outcome: Outcome) -> None:
        """Keep *outcome* in one transaction. Raises StaleEpochError where another sweep moved the cursor meanwhile."""


class Bookmarks(Protocol):
    """How far each pass has come."""

    async def at(self, reading: Pass) -> Cursor:
        """The cursor; where nothing was ever read, a fresh one that begins a while ago."""


__all__ = ["Airflow", "Bookmarks", "Notebook", "Teams"]
