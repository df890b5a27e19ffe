"""What the sweep hears: what others said of runs, so that it says only what nobody said, and asks after the rest."""

from collections.abc import Sequence

from outrider_bus.ports import Heard, Tx
from outrider_contracts.airflow import RunDeleted, RunFinished, RunStarted, TaskFinished, TaskStarted, TeamRule
from outrider_contracts.event import Event

from sweep.domain.seen import KnownRun, Whose
from sweep.domain.tasks import told_try
from sweep.records import forget_runs, keep_ends, keep_runs


async def learn(heard: Sequence[Heard[Event]], tx: Tx) -> None:
    """Remember starts and ends, forget what was deleted. Any order and any repetition gives the same tables."""
    known, gone, ends = [], [], []
    for one in heard:
        event = one.event
        if isinstance(event, TaskFinished):
            ends.append(told_try(event))
        elif isinstance(event, TaskStarted):
            if event.clear_number:
                known.append(_cleared(event))
        elif isinstance(event, RunStarted):
            known.append(_known(event, event.team_rule))
        elif isinstance(event, RunFinished):
            known.append(_known(event, "multi-team"))
        elif isinstance(event, RunDeleted):
            gone.append(_known(event, "multi-team"))
    await keep_runs(tx.connection, known)
    await forget_runs(tx.connection, gone)
    await keep_ends(tx.connection, ends, dealt_with=False)


def _known(event: RunStarted | RunFinished | RunDeleted, rule: TeamRule) -> KnownRun:
    return KnownRun(
        event.run.dag_id,
        event.run.run_id,
        Whose(event.run.team, rule),
        event.run_started_at,
        clear_number=0 if isinstance(event, RunDeleted) else event.clear_number,
        ended_at=event.finished_at if isinstance(event, RunFinished) else None,
        counted_to=event.finished_at if isinstance(event, RunFinished) else None,
    )


def _cleared(event: TaskStarted) -> KnownRun:
    """A try knows how often its run was cleared before it."""
    task = event.task
    return KnownRun(
        task.dag_id,
        task.run_id,
        Whose(task.team, event.team_rule),
        event.run_started_at,
        clear_number=event.clear_number,
        counted_to=event.started_at,
    )
