"""What is said of a try or a run, as a function of what is known of it. Pure: the same facts, the same words.

A try: START once it began. COMPLETE or FAIL once its end is known and, where it has an environment, its seal too, or
when the wait for what is missing is over; a seal that comes later is told by OTHER. Skipped is COMPLETE, as Airflow's
own provider says it; up_for_retry is FAIL of that try; lost and removed are ABORT. A try that never began (a skipped
branch, upstream_failed) is not said at all, except that its executor failed to start it: FAIL.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from lineage.domain.tries import End, Run, Try

EventType = Literal["START", "COMPLETE", "FAIL", "ABORT", "OTHER"]

_ENDS: dict[str, EventType] = {
    "success": "COMPLETE",
    "skipped": "COMPLETE",
    "failed": "FAIL",
    "up_for_retry": "FAIL",
    "lost": "ABORT",
    "removed": "ABORT",
    "upstream_failed": "ABORT",
}


@dataclass(frozen=True)
class Saying:
    """One event to say: its type, its time (the fact's), and whether it tells what was read and written."""

    ol_run_id: UUID
    event_type: EventType
    at: datetime
    sealed: bool = False


@dataclass(frozen=True)
class SayingPlan:
    """What is to be said now, and whether an end is held back for a while."""

    sayings: tuple[Saying, ...] = ()
    wait: bool = False


def plan_sayings(attempt: Try, said: frozenset[Saying], *, waited: bool = False) -> SayingPlan:
    """What is left to say of *attempt* after *said*; `waited`: the time for what is missing is over.

    A start known from the end alone waits for the fact itself: until that is heard nobody can tell a try of its own
    from a later word on one that is known.
    """
    end = attempt.end
    missing = not attempt.heard_start or (attempt.needs_seal and attempt.seal is None)
    sayings = []
    if attempt.started_at is not None and (attempt.heard_start or waited) and not _started(said):
        sayings.append(Saying(attempt.ol_run_id, "START", attempt.started_at))
    if end is None or (attempt.started_at is None and end.state not in ("failed", "up_for_retry")):
        return SayingPlan(tuple(sayings))
    if not _ended(end, said):
        if missing and not waited:
            return SayingPlan(tuple(sayings), wait=True)
        sayings.append(Saying(attempt.ol_run_id, _ENDS[end.state], end.at, sealed=attempt.seal is not None))
    elif attempt.seal is not None and not any(one.sealed for one in said):
        sayings.append(Saying(attempt.ol_run_id, "OTHER", attempt.seal.at, sealed=True))
    return SayingPlan(tuple(sayings))


def plan_run_sayings(run: Run, said: frozenset[Saying]) -> SayingPlan:
    """What is left to say of a DAG run: START, and COMPLETE or FAIL of its last end."""
    sayings = []
    if run.started and not _started(said):
        sayings.append(Saying(run.ol_run_id, "START", run.run_started_at))
    if run.end is not None and not _ended(run.end, said):
        sayings.append(Saying(run.ol_run_id, _ENDS[run.end.state], run.end.at))
    return SayingPlan(tuple(sayings))


def _started(said: frozenset[Saying]) -> bool:
    return any(one.event_type == "START" for one in said)


def _ended(end: End, said: frozenset[Saying]) -> bool:
    return any((one.event_type, one.at) == (_ENDS[end.state], end.at) for one in said)
