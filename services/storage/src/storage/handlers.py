"""What storage hears from Airflow, and what it does about it. Reading the table at the end is reading the service."""

from collections.abc import Mapping
from functools import partial

from outrider_bus.ports import Begin, Heard, LaneHandler, NeverAgain
from outrider_contracts.airflow import (
    GraphDeclared,
    RunDeleted,
    RunFinished,
    RunReopened,
    RunStarted,
    TaskFinished,
    TaskStarted,
)
from outrider_contracts.event import Event

from storage.cases.announce import make, open_ahead, served, tell
from storage.cases.ensure import prepare
from storage.cases.plan import plan_run
from storage.cases.work import Work
from storage.domain.attempts import Attempt, Wanted
from storage.domain.refusals import Refused, Waiting
from storage.records import holds, runs, versions
from storage.records.codec import Connection

NEVER_AGAIN: NeverAgain = {
    RunFinished: "from a run's end on its versions' retention counts: they would be removed",
    RunDeleted: "versions of a deleted run are removed",
    TaskFinished: "a try that ended is sealed, and a seal lets go of the versions before it",
}
"""What is heard for the first time may bring a removal about; what an operator replays may not.

The other facts are kept when they are replayed, but nothing is made for them, and a start that only a replay has told
of lets no version of its run go (`plan_removal`) until Airflow's own word of it is heard.
"""


async def announce_run(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A run began or was reopened: make the places of its declared tasks."""
    said = heard.event
    assert isinstance(said, RunStarted)
    fresh = said.clear_number == 0 and not isinstance(said, RunReopened)
    if heard.replayed:
        async with begin() as tx:
            await runs.keep_start(tx.connection, said, fresh=fresh, now=work.clock(), replayed=True)
        return
    teams = await served(work, {said.run.team})
    async with work.database.begin() as tx:
        await runs.keep_start(tx.connection, said, fresh=fresh, now=work.clock())
        known = await runs.starts(tx.connection, said.run)
        begun = [start for start in known if start.run_started_at == said.run_started_at]
        opened = await open_ahead(work, tx.connection, begun, teams)
    usable = await make(work, opened)
    async with begin() as tx:
        await versions.lock_run(tx.connection, said.run)
        await tell(work, tx, opened, usable)
        await plan_run(work, tx.connection, said.run)


async def announce_waiting(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A graph became known: make the places of open runs that waited for it."""
    said = heard.event
    assert isinstance(said, GraphDeclared)
    if heard.replayed:
        async with begin() as tx:
            await runs.keep_graph(tx.connection, said)
        return
    teams = await served(work, {said.run.team})
    async with work.database.begin() as tx:
        opened: list[Attempt] = []
        if await runs.keep_graph(tx.connection, said):  # a run that an interruption left out is announced late
            waiting = await runs.open_starts(tx.connection, said.run.team, said.run.dag_id, said.dag_version)
            opened = await open_ahead(work, tx.connection, waiting, teams)
    usable = await make(work, opened)
    async with begin() as tx:
        await tell(work, tx, opened, usable)


async def prepare_try(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A try began: have its environment before it asks. What is refused or not there yet is told to it when it asks."""
    said = heard.event
    assert isinstance(said, TaskStarted)
    declared = said.declaration
    if (
        heard.replayed
        or declared is None
        or not (declared.inputs or declared.outputs or declared.sources or declared.destinations)
    ):
        async with begin() as tx:
            await _confirm(work, tx.connection, said, replayed=heard.replayed)
        return
    wanted = Wanted(
        said.task.task, said.run_started_at, said.run_after or said.run_started_at, said.logical_date, declared,
        said.task.try_number,
    )  # fmt: skip
    try:
        await prepare(work, wanted, begin, asked=False)
    except (Refused, Waiting):
        async with begin() as tx:
            await _confirm(work, tx.connection, said)


async def keep_end(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A try ended: it is sealed by what is there if it does not do so itself; a task that is over reads no more."""
    said = heard.event
    assert isinstance(said, TaskFinished)
    async with begin() as tx:
        await runs.keep_end(tx.connection, said)
        holder = holds.reader(said.task.task, said.run_started_at)
        if said.state != "up_for_retry" and holder not in await holds.reading(tx.connection, said.task.run):
            await holds.release(tx.connection, holder, work.clock())  # of others their seal lets go


async def end_run(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A run ended: from now on its versions' retention counts. Nothing is removed on this word alone."""
    said = heard.event
    assert isinstance(said, RunFinished)
    async with begin() as tx:
        await versions.lock_run(tx.connection, said.run)
        await runs.keep_finish(tx.connection, said, work.clock())
        reading = await holds.reading(tx.connection, said.run)
        await holds.release_run(tx.connection, said.run, said.run_started_at, work.clock(), but=reading)
        await plan_run(work, tx.connection, said.run)


async def forget_run(work: Work, heard: Heard[Event], begin: Begin) -> None:
    """A run was deleted in Airflow: its versions go the way of an ended run's."""
    said = heard.event
    assert isinstance(said, RunDeleted)
    async with begin() as tx:
        await versions.lock_run(tx.connection, said.run)
        await runs.keep_deletion(tx.connection, said, work.clock())
        await plan_run(work, tx.connection, said.run)


async def _confirm(work: Work, connection: Connection, said: TaskStarted, *, replayed: bool = False) -> None:
    dates = said.run_after, said.logical_date
    await runs.confirm(connection, said.task.run, said.run_started_at, *dates, work.clock(), replayed=replayed)


def lane(event: Event) -> str:
    """One task's facts in order, one run's facts in order; different tasks side by side."""
    if isinstance(event, TaskStarted | TaskFinished):
        return f"{event.task.record_key}/{event.task.task_id}/{event.task.map_index}"
    return event.key()


def handlers(work: Work) -> Mapping[type[Event], LaneHandler]:
    """What is heard and who answers."""
    return {
        RunStarted: partial(announce_run, work),
        RunReopened: partial(announce_run, work),
        GraphDeclared: partial(announce_waiting, work),
        TaskStarted: partial(prepare_try, work),
        TaskFinished: partial(keep_end, work),
        RunFinished: partial(end_run, work),
        RunDeleted: partial(forget_run, work),
    }
