"""Airflow, teams and notebook in memory: for tests, and to see what a sweep would say without saying it."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime, timedelta

from outrider_bus.ports import StaleEpochError, UnavailableError
from outrider_contracts.event import Event

from sweep.domain.seen import (
    Cursor,
    KnownRun,
    Outcome,
    Page,
    Pass,
    RunId,
    SaidTry,
    SeenRun,
    SeenTask,
    TaskId,
    TeamRun,
    Told,
    TryId,
    Whose,
    merged,
    try_of,
)
from sweep.domain.tasks import TOLD_STATES


class MemoryAirflow:
    """Runs and tries set by hand, with the time each was last updated; `away` makes it refuse to answer."""

    def __init__(self, clock: datetime, *, page_size: int = 2) -> None:
        self.clock = clock
        self.away = False
        self.asked = 0
        self._page_size = page_size
        self._runs: dict[RunId, tuple[SeenRun, datetime]] = {}
        self._tasks: dict[tuple[RunId, str, int], tuple[SeenTask, datetime]] = {}
        self._history: list[SeenTask] = []
        self._deletions: list[tuple[RunId, datetime]] = []

    def put(self, *rows: SeenRun | SeenTask) -> None:
        """Have *rows* be so, from now on."""
        for row in rows:
            if isinstance(row, SeenRun):
                self._runs[row.id] = (row, self.clock)
            else:
                key = (row.run, row.task_id, row.map_index)
                if key in self._tasks and self._tasks[key][0].try_number < row.try_number:
                    self._history.append(self._tasks[key][0])
                self._tasks[key] = (row, self.clock)

    def delete(self, run: RunId) -> None:
        """Have no trace of *run* left."""
        del self._runs[run]
        self._deletions.append((run, self.clock))
        self._tasks = {key: row for key, row in self._tasks.items() if key[0] != run}
        self._history = [each for each in self._history if each.run != run]

    async def runs(self, since: datetime, page: str) -> Page[SeenRun]:
        """One page of runs."""
        self._answer()
        rows = [run for run, updated in self._runs.values() if updated >= since]
        start = int(page or 0)
        return Page(tuple(rows[start : start + self._page_size]), self._next(start, len(rows)), self.clock)

    async def ended_tasks(self, since: datetime, page: str) -> Page[SeenTask]:
        """One page of ended task instances."""
        self._answer()
        rows = [task for task, updated in self._tasks.values() if updated >= since and task.state in TOLD_STATES]
        start = int(page or 0)
        return Page(tuple(rows[start : start + self._page_size]), self._next(start, len(rows)), self.clock)

    async def deletions(self, since: datetime, page: str) -> Page[RunId]:
        """One page of deletions."""
        self._answer()
        rows = [run for run, deleted in self._deletions if deleted > since]
        start = int(page or 0)
        return Page(tuple(rows[start : start + self._page_size]), self._next(start, len(rows)), self.clock)

    async def run(self, run: RunId) -> SeenRun | None:
        """The one run."""
        self._answer()
        found = self._runs.get(run)
        return found[0] if found else None

    async def tries(self, run: RunId, task: TaskId | None = None) -> AsyncIterator[SeenTask]:
        """Every try of *task*, or the newest try of every task."""
        self._answer()
        newest = [each for each, _ in self._tasks.values() if each.run == run]
        if task is None:
            for each in newest:
                yield each
            return
        for each in (*self._history, *newest):
            if each.id == task:
                yield each

    def _next(self, start: int, total: int) -> str | None:
        return str(start + self._page_size) if start + self._page_size < total else None

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise UnavailableError("Airflow is away")


class FixedTeams:
    """Bundle name -> team."""

    def __init__(self, teams: Mapping[str, str]) -> None:
        self._teams = teams

    async def of(self, dag_id: str, bundle: str) -> Whose | None:  # noqa: ARG002 - the port's signature
        """The team of *bundle*."""
        team = self._teams.get(bundle)
        return Whose(team, "bundle") if team else None


class MemoryNotebook:
    """Everything said stands in `facts`, in order."""

    def __init__(self, since: datetime | None = None) -> None:
        self.facts: list[Event] = []
        self._since = since
        self._cursors: dict[Pass, Cursor] = {}
        self._runs: dict[TeamRun, KnownRun] = {}
        self._told: dict[SaidTry, bool] = {}
        self._doubts: dict[TaskId, None] = {}

    async def at(self, reading: Pass) -> Cursor:
        """The cursor of *reading*."""
        return self._cursors.get(reading) or Cursor(self._since or datetime.now(UTC) - timedelta(days=1))

    async def known(self, runs: Collection[TeamRun]) -> dict[TeamRun, KnownRun]:
        """What is known of *runs*."""
        return {run: self._runs[run] for run in runs if run in self._runs}

    async def told(self, tries: Collection[TryId]) -> dict[TryId, Told]:
        """What was told of the ends of *tries*."""
        found: dict[TryId, Told] = {}
        for number in tries:
            ends = [end for end in self._told if try_of(end) == number]
            if ends:
                *_, latest, at = max(ends, key=lambda end: (end[-1], end[-2]))
                found[number] = Told(ends[-1][-2], latest, at, any(self._told[end] for end in ends))
        return found

    def hear(self, *ends: SaidTry) -> None:
        """Others told of *ends*."""
        for end in ends:
            self._told.setdefault(end, False)
            if any(try_of(other) == try_of(end) and other[-2] != end[-2] for other in self._told):
                self._doubts[end[:4]] = None

    def forget_ends(self) -> None:
        """Time passes: nothing is remembered of ends."""
        self._told.clear()

    async def doubted(self, limit: int) -> list[TaskId]:
        """Tasks of which something was told in several ways."""
        return list(self._doubts)[:limit]

    async def due(self, limit: int) -> list[KnownRun]:
        """Runs to ask after, in turn."""
        due = list(self._runs.values())[:limit]
        for run in due:
            self._runs[run.key] = self._runs.pop(run.key)
        return due

    async def write(self, outcome: Outcome) -> None:
        """Keep *outcome*."""
        if outcome.moved:
            reading, before, after = outcome.moved
            held = self._cursors.get(reading)
            if held and (held.since, held.page) != (before.since, before.page):
                raise StaleEpochError(f"the cursor of {reading} was moved by another sweep")
            self._cursors[reading] = after
        for run in outcome.known:
            held_run = self._runs.get(run.key)
            self._runs[run.key] = merged(held_run, run) if held_run else run
        for run in outcome.gone:
            if run.key in self._runs and self._runs[run.key].started_at <= run.started_at:
                del self._runs[run.key]
        suspected = [
            key
            for key, run in self._runs.items()
            if run.missing_since is None and {run.id, (run.dag_id, "")} & {*outcome.suspected}
        ]
        for key in (*suspected, *(key for key in self._runs if key not in suspected)):
            self._runs[key] = self._runs.pop(key)
        self._told |= dict.fromkeys(sorted(outcome.dealt_with, key=lambda end: end[-1]), True)
        for task in outcome.settled:
            self._doubts.pop(task, None)
        self.facts.extend(outcome.facts)
