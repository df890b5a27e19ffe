"""One round: read what Airflow updated, say what nobody said, ask after runs that may be gone."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from outrider_bus.ports import UnavailableError
from outrider_contracts.event import Event

from sweep.domain.runs import RunPlan, is_to_be_told, plan_absence, plan_run, was_cleared
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
    Told,
    TryId,
    Whose,
    try_of,
)
from sweep.domain.tasks import agrees, as_told, plan_tasks, said_try, was_read
from sweep.ports import Airflow, Bookmarks, Notebook, Teams


@dataclass(frozen=True)
class Terms:
    """How far back is read again, how long others are waited for, how often is asked."""

    overlap: timedelta = timedelta(seconds=120)
    patience: timedelta = timedelta(seconds=10)
    gone_grace: timedelta = timedelta(seconds=60)
    checks_per_round: int = 5


@dataclass
class Sweep:
    """One reader of one Airflow. Holds one page at a time; each page is one transaction with the cursor."""

    airflow: Airflow
    teams: Teams
    notebook: Notebook
    bookmarks: Bookmarks
    terms: Terms
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    counts: Counter[str] = field(default_factory=Counter)
    read_to: dict[Pass, datetime] = field(default_factory=dict)
    """How far each pass has come since the service began."""

    def behind_seconds(self, reading: Pass) -> float:
        """How far *reading* lies behind the clock; nan before its first page."""
        since = self.read_to.get(reading)
        return (self.clock() - since).total_seconds() if since else math.nan

    async def round(self) -> None:
        """All passes to their end, then some questions: after runs that may be gone, and whose word is right."""
        await self._read("runs")
        await self._read("tasks")
        with suppress(UnavailableError):  # not every user may read Airflow's log: then deletions are seen later
            await self._read("deletions")
        unclear: list[UnavailableError] = []  # of one run alone, maybe: the others have their turn first
        for known in await self.notebook.due(self.terms.checks_per_round):
            try:
                await self._ask_after(known)
            except UnavailableError as error:
                unclear.append(error)
        for doubted in await self.notebook.doubted(self.terms.checks_per_round):
            try:
                await self._settle(doubted)
            except UnavailableError as error:
                unclear.append(error)
        if unclear:
            raise unclear[0]
        self.counts["rounds"] += 1

    async def _read(self, reading: Pass) -> None:
        read = {"runs": self._runs, "tasks": self._tasks, "deletions": self._deletions}[reading]
        cursor = await self.bookmarks.at(reading)
        while True:
            since = cursor.read_from(self.terms.overlap)
            try:
                page, outcome = await read(since, cursor.page)
            except UnavailableError:
                if cursor.page:  # the token may be what Airflow does not take: begin the pass again
                    await self.notebook.write(Outcome(moved=(reading, cursor, Cursor(cursor.since))))
                raise
            before, cursor = cursor, cursor.after(page)
            await self.notebook.write(replace(outcome, moved=(reading, before, cursor)))
            self.counts["facts"] += len(outcome.facts)
            self.read_to[reading] = cursor.since
            if not cursor.page:
                return

    async def _runs(self, since: datetime, token: str) -> tuple[Page[object], Outcome]:
        page = await self.airflow.runs(since, token)
        return page, await self._of_runs(page)

    async def _tasks(self, since: datetime, token: str) -> tuple[Page[object], Outcome]:
        page = await self.airflow.ended_tasks(since, token)
        return page, await self._of_tasks(page, since)

    async def _deletions(self, since: datetime, token: str) -> tuple[Page[object], Outcome]:
        page = await self.airflow.deletions(since, token)
        return page, Outcome(suspected=page.items)

    async def _of_runs(self, page: Page[SeenRun]) -> Outcome:
        owners = {run.id: await self._whose(run.dag_id, run.bundle) for run in page.items}
        owned = [(run, whose) for run in page.items if (whose := owners[run.id])]
        known = await self.notebook.known([(whose.team, *run.id) for run, whose in owned])
        facts: list[Event] = []
        learned: list[KnownRun] = []
        for run, whose in owned:
            before = known.get((whose.team, *run.id))
            plan = await self._plan(run, before, whose, page.at)
            facts.extend(plan.facts)
            if plan.known is not None and plan.known != before:
                learned.append(plan.known)
        return Outcome(tuple(facts), known=tuple(learned))

    async def _of_tasks(self, page: Page[SeenTask], read_to: datetime) -> Outcome:
        told = await self._told(page.items)
        tasks = [task for task in page.items if (end := said_try(task)) and not _settled(task, told.get(try_of(end)))]
        runs = await self._runs_of(tasks)
        earlier = [each async for each in self._earlier(tasks, runs, read_to)]
        told |= await self._told(earlier)
        plan = plan_tasks([*earlier, *tasks], runs, told, at=page.at, patience=self.terms.patience)
        agreed = [
            (*number, before.latest, before.latest_at)
            for task in (*earlier, *tasks)
            if (end := said_try(task)) and (before := told.get(number := try_of(end))) and agrees(task, before)
        ]
        return Outcome(tuple(plan.values()), dealt_with=frozenset([*plan, *agreed]))

    async def _told(self, tasks: Collection[SeenTask]) -> dict[TryId, Told]:
        return await self.notebook.told([try_of(end) for task in tasks if (end := said_try(task))])

    async def _earlier(
        self, tasks: list[SeenTask], runs: Mapping[RunId, KnownRun], read_to: datetime
    ) -> AsyncIterator[SeenTask]:
        """The tries before the newest of each task: REST lists only that one."""
        for task in tasks:
            run = runs.get(task.run)
            if run is not None and task.try_number > 1:
                async for each in self.airflow.tries(task.run, task.id):
                    if each.try_number < task.try_number and not was_read(each, run, read_to, self.terms.overlap):
                        yield as_told(each, task)

    async def _settle(self, doubted: TaskId) -> None:
        """Tellings of one try differ: say what Airflow has, unless it was the last word."""
        tries = [each async for each in self.airflow.tries(doubted[:2], doubted)]
        now = self.clock()
        outcome = await self._of_tasks(Page(tuple(tries[-1:]), None, now), now - self.terms.overlap)
        await self.notebook.write(replace(outcome, settled=(doubted,)))
        self.counts["facts"] += len(outcome.facts)

    async def _runs_of(self, tasks: list[SeenTask]) -> dict[RunId, KnownRun]:
        owners = {task.run: whose for task in tasks if (whose := await self._whose(task.dag_id, task.bundle))}
        known = await self.notebook.known([(whose.team, *run) for run, whose in owners.items()])
        runs = {each.id: each for each in known.values()}
        for (dag_id, run_id), whose in owners.items():
            if (dag_id, run_id) not in runs:
                run = await self.airflow.run((dag_id, run_id))
                if run is not None and run.start_date is not None:
                    runs[run.id] = KnownRun(dag_id, run_id, whose, run.start_date)
        return runs

    async def _ask_after(self, known: KnownRun) -> None:
        run = await self.airflow.run(known.id)
        at = self.clock()
        if run is None:
            plan = plan_absence(known, at=at, grace=self.terms.gone_grace)
        else:
            plan = await self._plan(run, known, known.whose, at)
        gone = (known,) if plan.known is None else ()
        await self.notebook.write(Outcome(plan.facts, known=(plan.known,) if plan.known else (), gone=gone))
        self.counts["facts"] += len(plan.facts)

    async def _plan(self, run: SeenRun, known: KnownRun | None, whose: Whose, at: datetime) -> RunPlan:
        patience = self.terms.patience
        cleared = is_to_be_told(run, known, at=at, patience=patience) and await self._was_cleared(run)
        return plan_run(run, known, whose, at=at, patience=patience, cleared=cleared)

    async def _was_cleared(self, run: SeenRun) -> bool:
        async for task in self.airflow.tries(run.id):
            if was_cleared(run, [task]):
                return True
            if task.try_number > 1 and was_cleared(run, [each async for each in self.airflow.tries(run.id, task.id)]):
                return True
        return False

    async def _whose(self, dag_id: str, bundle: str) -> Whose | None:
        whose = await self.teams.of(dag_id, bundle)
        if whose is None:
            self.counts["of_unknown_teams"] += 1
        return whose


def _settled(task: SeenTask, told: Told | None) -> bool:
    """Whether nothing is left to do about *task* or its earlier tries."""
    return told is not None and told.examined and agrees(task, told)
