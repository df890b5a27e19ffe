"""What to say of a run that was read."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, cast

from outrider_contracts.airflow import RunDeleted, RunFinished, RunReopened, RunStarted
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from sweep.domain.seen import KnownRun, SeenRun, SeenTask, Whose


@dataclass(frozen=True)
class RunPlan:
    """Facts to say, in order, and what is known of the run once they are said."""

    facts: tuple[Event, ...] = ()
    known: KnownRun | None = None


def plan_run(
    run: SeenRun, known: KnownRun | None, whose: Whose, *, at: datetime, patience: timedelta, cleared: bool = False
) -> RunPlan:
    """Say what nobody has said of *run*.

    Start and end are left to the listener for *patience* each: it knows the clear number, REST does not.
    *cleared*: where it began again, it is the old run cleared; else the known run was deleted and this is another one.
    """
    if run.start_date is None:
        return RunPlan(known=known)
    facts: list[Event] = []
    if known is not None and not cleared and not is_same_start(run, known):
        facts.append(_deleted(known, at))
        known = None
    if known is None or run.start_date > known.started_at:
        if not facts and at - run.start_date < patience:
            return RunPlan(known=known)
        clear_number = (known.clear_number if known else 0) + int(cleared)
        facts.append(_started(run, whose, run.start_date, clear_number))
        known = KnownRun(run.dag_id, run.run_id, whose, run.start_date, clear_number)
    known = _count_clears(run, known)
    if run.end_date and run.ended and known.ended_at is None and at - run.end_date >= patience:
        facts.append(_finished(run, known))
        known = replace(known, ended_at=run.end_date)
    return RunPlan(tuple(facts), replace(known, missing_since=None))


def _count_clears(run: SeenRun, known: KnownRun) -> KnownRun:
    """Airflow queues a run anew when something of it is cleared, also while it runs: then its start stays.

    Of several clears between two looks one is counted, until a try's start tells the number.
    """
    counted_to = known.counted_to or known.started_at
    if run.queued_at is None or run.start_date != known.started_at or run.queued_at <= counted_to:
        return known
    return replace(known, clear_number=known.clear_number + 1, counted_to=run.queued_at)


def is_same_start(run: SeenRun, known: KnownRun) -> bool:
    """False where the run started again since it was last told of: cleared, or deleted and created anew."""
    return run.start_date is None or run.start_date <= known.started_at


def is_to_be_told(run: SeenRun, known: KnownRun | None, *, at: datetime, patience: timedelta) -> bool:
    """Whether its start is to be told: then it matters whether it began from nothing. The sweep may have forgotten it,
    or never known it.
    """
    if known is not None:
        return not is_same_start(run, known)
    return run.start_date is not None and at - run.start_date >= patience


def was_cleared(run: SeenRun, tries: Collection[SeenTask]) -> bool:
    """Whether *run* is the old run cleared: then something of it ran before it was queued. A new run has no past."""
    begun = run.queued_at or run.start_date
    return any(began < begun for each in tries if begun and (began := each.start_date or each.end_date))


def plan_absence(known: KnownRun, *, at: datetime, grace: timedelta) -> RunPlan:
    """Airflow says that it has no such run: remember that, and once it still says so *grace* later, tell."""
    if known.missing_since is None:
        return RunPlan(known=replace(known, missing_since=at))
    if at - known.missing_since < grace:
        return RunPlan(known=known)
    return RunPlan((_deleted(known, known.missing_since),), None)


def run_key(team: str, dag_id: str, run_id: str) -> RunKey:
    """The run's key in facts."""
    return RunKey(team=team, dag_id=dag_id, run_id=run_id)


def _started(run: SeenRun, whose: Whose, started_at: datetime, clear_number: int) -> RunStarted:
    kind = RunReopened if clear_number else RunStarted
    return kind(
        run=run_key(whose.team, run.dag_id, run.run_id),
        run_started_at=started_at,
        clear_number=clear_number,
        run_after=run.run_after,
        logical_date=run.logical_date,
        data_interval_start=run.data_interval_start,
        data_interval_end=run.data_interval_end,
        run_type=run.run_type,
        dag_version=run.dag_version,
        bundle=run.bundle,
        bundle_version=run.bundle_version,
        team_rule=whose.rule,
    )


def _finished(run: SeenRun, known: KnownRun) -> RunFinished:
    assert run.end_date is not None
    return RunFinished(
        run=run_key(known.whose.team, run.dag_id, run.run_id),
        run_started_at=known.started_at,
        clear_number=known.clear_number,
        state=cast(Literal["success", "failed"], run.state),
        finished_at=run.end_date,
        logical_date=run.logical_date,
        run_after=run.run_after,
    )


def _deleted(known: KnownRun, at: datetime) -> RunDeleted:
    key = run_key(known.whose.team, known.dag_id, known.run_id)
    return RunDeleted(run=key, run_started_at=known.started_at, seen_at=at)
