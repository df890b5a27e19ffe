"""Making a run's environments when the run starts, before its tasks ask."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from outrider_bus.ports import Tx
from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.environments import EnvironmentReady
from outrider_contracts.keys import TaskKey
from outrider_contracts.tenants import TeamSpec

from storage.cases.take import usable
from storage.cases.work import Work
from storage.domain.attempts import Attempt, Wanted, connections, default_retention, failed_retention
from storage.domain.refusals import Refused, Waiting
from storage.domain.runs import RunStart
from storage.records import attempts, runs
from storage.records.codec import Connection


async def served(work: Work, teams: Collection[str]) -> dict[str, TeamSpec | None]:
    """Specs of those of *teams* that may have environments. Asked before a transaction begins: it needs one itself."""
    found: dict[str, TeamSpec | None] = {}
    for team in teams:
        try:
            found[team] = (await work.admit(team)).spec
        except (Refused, Waiting):
            continue
    return found


async def open_ahead(
    work: Work, connection: Connection, starts: Sequence[RunStart], teams: Mapping[str, TeamSpec | None]
) -> list[Attempt]:
    """Announce the unmapped declared tasks of *starts* whose graph is known; returns what is to be made.

    Losing the head start (unknown team, old run) costs time, never correctness: a task's own request does the same.
    """
    now = work.clock()
    opened: list[Attempt] = []
    for start in starts:
        too_old = now - start.run_started_at > work.terms.phantom_after
        if not start.started or start.ended_at or too_old or start.run.team not in teams:
            continue
        for declared in await runs.graph(connection, start.run.team, start.run.dag_id, start.dag_version):
            if _has_an_environment(declared):
                wanted = _ahead(start, declared)
                await attempts.lock(connection, wanted.place)
                opened += await _open(work, connection, wanted, teams[start.run.team])
    return opened


async def make(work: Work, opened: Sequence[Attempt]) -> dict[str, bool]:
    """Have every directory; says of each whether a try may write there."""
    paths = [path for attempt in opened for path in attempt.paths.values()]
    return dict(zip(paths, await asyncio.gather(*(usable(work, path) for path in paths)), strict=True))


async def tell(work: Work, tx: Tx, opened: Sequence[Attempt], usable: dict[str, bool]) -> None:
    """Keep and say what was made; rows that somebody took over meanwhile are theirs to finish."""
    now = work.clock()
    for attempt in opened:
        mine = await attempts.held(tx.connection, attempt)
        if mine is None:
            continue
        if not all(usable[path] for path in mine.paths.values()):
            await attempts.drop(tx.connection, mine, "the directory held something already", now)
            continue
        await attempts.set_ready(tx.connection, mine, now)
        sources, destinations = connections(mine.declaration)
        await tx.say(
            EnvironmentReady(
                task=mine.tried, run_started_at=mine.run_started_at, generation=mine.generation, place=mine.place,
                outputs=mine.outputs, sources=sources, destinations=destinations, ready_at=now,
            ),
            team_copies=True,
        )  # fmt: skip


def _has_an_environment(declared: TaskDeclaration) -> bool:
    return not declared.mapped and bool(
        declared.inputs or declared.outputs or declared.sources or declared.destinations
    )


def _ahead(start: RunStart, declared: TaskDeclaration) -> Wanted:
    task = TaskKey(**start.run.model_dump(), task_id=declared.task_id)
    return Wanted(task, start.run_started_at, start.run_after or start.run_started_at, start.logical_date, declared)


async def _open(work: Work, connection: Connection, wanted: Wanted, spec: TeamSpec | None) -> list[Attempt]:
    found = [a for a in await attempts.of_task(connection, wanted.task) if a.run_started_at == wanted.run_started_at]
    if found:  # its task came first, or this very announcement was interrupted before the place was made
        unmade = [attempt for attempt in found if attempt.try_number is None and attempt.state == "announced"]
        return [await attempts.claim(connection, attempt) for attempt in unmade]
    opened = await attempts.open_attempt(
        connection, wanted, now=work.clock(),
        retention=default_retention(spec, work.terms.retention),
        failed_retention=failed_retention(spec, work.terms.failed_retention),
    )  # fmt: skip
    return [opened]
