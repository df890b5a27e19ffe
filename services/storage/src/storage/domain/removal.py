"""Whether Airflow, asked now, lets a run's data go. Whoever can't be asked says no."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.domain.runs import RunStart


@dataclass(frozen=True)
class AirflowRun:
    """A run as Airflow holds it at this moment."""

    state: str
    ended: bool
    started_at: datetime | None
    live_tasks: int
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether versions of the run may be removed, and why not. `absent`: Airflow said that it has no such run."""

    allowed: bool
    why: str
    absent: bool = False


def plan_removal(known: RunStart, airflow: AirflowRun | None, *, now: datetime, grace: timedelta) -> Verdict:
    """Compare what was heard of the run with what Airflow says now.

    The run must have ended, with no live task, and be the very start that was heard of last. A run that Airflow does
    not have is gone only if it said so twice, *grace* apart, and the deletion was heard or the run was never real.
    """
    if known.replayed:
        return Verdict(False, "a replay alone has told of the run's newest start; nothing is removed on that word")
    if airflow is None:
        if known.absent_since is None or now - known.absent_since < grace:
            return Verdict(False, "Airflow does not know the run; it is asked again after the grace", absent=True)
        if known.deleted_at is None and known.confirmed:
            return Verdict(False, "Airflow does not know the run, but nobody has said that it was deleted", absent=True)
        return Verdict(True, "the run was deleted", absent=True)
    if airflow.started_at != known.run_started_at:
        return Verdict(
            False, f"Airflow's run began at {airflow.started_at}, the one heard of at {known.run_started_at}"
        )
    if not airflow.ended:
        return Verdict(False, f"Airflow says that the run is {airflow.state}")
    if airflow.live_tasks:
        return Verdict(False, f"the run has {airflow.live_tasks} live tasks")
    if airflow.ended_at is not None and known.ended_at is not None and airflow.ended_at - grace > known.ended_at:
        return Verdict(False, f"Airflow's run ended at {airflow.ended_at}, the end heard of was at {known.ended_at}")
    return Verdict(True, f"the run is {airflow.state}")
