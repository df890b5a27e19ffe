"""When a version may go: its retention, counted from the end of its run."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from outrider_contracts.declarations import parse_duration


@dataclass(frozen=True)
class Kept:
    """What decides how long one version is kept. `used`: a try was given its directory."""

    retention: str
    failed_retention: str
    current: bool
    succeeded: bool
    used: bool = True


@dataclass(frozen=True)
class ClearingPlan:
    """Not before `due_at` may the version be doomed; None: not now foreseeable."""

    due_at: datetime | None
    reason: str


def plan_clearing(kept: Kept, run_ended_at: datetime | None, grace: timedelta) -> ClearingPlan:
    """Say when the version is due.

    Current versions keep the declared retention; superseded ones the shorter of that and the team's retention of
    failed tries; failed and given-up ones that of failed tries.
    """
    if run_ended_at is None:
        return ClearingPlan(None, "the run has not ended")
    if not kept.used:
        return _plan(run_ended_at, timedelta(0), grace, "made ahead, but no try came")
    if kept.current:
        retention, what = kept.retention, "the output"
    elif kept.succeeded:
        retention, what = shorter(kept.retention, kept.failed_retention), "a superseded version"
    else:
        retention, what = kept.failed_retention, "what a failed try left"
    length = duration(retention)
    if length is None:
        return ClearingPlan(None, f"{what} is kept forever")
    reason = f"{what} is kept for {'the run' if retention == 'run' else retention + ' after the end of the run'}"
    return _plan(run_ended_at, length, grace, reason)


def _plan(run_ended_at: datetime, kept: timedelta, grace: timedelta, reason: str) -> ClearingPlan:
    try:
        return ClearingPlan(run_ended_at + kept + grace, reason)
    except OverflowError:  # later than the last date there is
        return ClearingPlan(None, reason)


def duration(retention: str) -> timedelta | None:
    """Length of a retention; None for `forever`."""
    if retention == "forever":
        return None
    return timedelta(0) if retention == "run" else parse_duration(retention)


def shorter(one: str, other: str) -> str:
    """The retention that ends first."""
    return min(one, other, key=_length)


def _length(retention: str) -> timedelta:
    length = duration(retention)
    return timedelta.max if length is None else length
