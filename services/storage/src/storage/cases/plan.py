"""Planning the clearing of a run's versions anew, whenever a fact that decides about it has changed."""

from outrider_contracts.keys import RunKey

from storage.cases.work import Work
from storage.domain.retention import plan_clearing
from storage.domain.runs import newest
from storage.records import runs, versions
from storage.records.codec import Connection


async def plan_run(work: Work, connection: Connection, run: RunKey) -> None:
    """Write when each version of the run is due, as the facts in this transaction have it."""
    await versions.lock_run(connection, run)
    start = newest(await runs.starts(connection, run))
    ended_at = None if start is None else start.ended_at
    kept = await versions.kept(connection, run)
    await versions.set_plans(
        connection, {path: plan_clearing(one, ended_at, work.terms.grace) for path, one in kept.items()}
    )
