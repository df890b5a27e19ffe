"""What time alone brings about: places nobody came for, tries that ended without a seal, runs that never were."""

from datetime import timedelta

import structlog
from outrider_bus.ports import UnavailableError
from outrider_contracts.keys import RunKey

from storage.cases.announce import make, open_ahead, served, tell
from storage.cases.plan import plan_run
from storage.cases.seal import seal_by_what_is_there
from storage.cases.work import Work
from storage.domain.refusals import Refused, Waiting
from storage.domain.removal import plan_removal
from storage.records import attempts, control, runs, tokens, told, versions

_BATCH = 200
_STUCK = timedelta(seconds=10)
"""An announcement that takes longer was interrupted."""
_SLOW = timedelta(seconds=2)
"""Who is away takes longer to say nothing: then the others wait, too. An answer that is none holds up its run alone."""
_log = structlog.stdlib.get_logger(__name__)


async def announce_late(work: Work) -> None:
    """Announce runs whose team or graph became known after their start, or whose announcement was interrupted."""
    now = work.clock()
    async with work.database.begin() as tx:
        waiting = await runs.unannounced(tx.connection, now - work.terms.phantom_after, now - _STUCK, _BATCH)
    teams = await served(work, {start.run.team for start in waiting})
    if not teams:
        return
    async with work.database.begin() as tx:
        opened = await open_ahead(work, tx.connection, waiting, teams)
    if opened:
        usable = await make(work, opened)
        async with work.database.begin() as tx:
            await tell(work, tx, opened, usable)


async def seal_ended(work: Work) -> None:
    """Seal tries whose end was heard a while ago, by what is there, unless Airflow says that they are at work."""
    async with work.database.begin() as tx:
        ended = await attempts.ended_unsealed(tx.connection, work.clock() - work.terms.seal_grace, _BATCH)
    unclear: dict[RunKey, str] = {}
    for attempt, state in ended:
        if attempt.task.run in unclear:  # tries of a task are sealed in their order
            continue
        asked = work.clock()
        try:
            if await work.airflow.at_work(attempt.tried):
                _log.warning("end not believed", team=attempt.task.team, task=attempt.task.label, state=state)
                continue
            await seal_by_what_is_there(work, attempt, state)
        except UnavailableError as error:
            unclear[attempt.task.run] = str(error)
            if work.clock() - asked > _SLOW:
                break
        except (Refused, Waiting) as error:
            _log.info("try not sealed", team=attempt.task.team, task=attempt.task.label, error=str(error))
    if unclear:
        _log.info("unsealed tries wait", runs=len(unclear), error=next(iter(unclear.values())))


async def drop_unused(work: Work) -> None:
    """Give up generations that were made ahead and that no try of their ended run took."""
    now = work.clock()
    async with work.database.begin() as tx:
        unused = await attempts.unused(tx.connection, now, _BATCH)
        dropped = [mine for one in unused if (mine := await attempts.held(tx.connection, one)) is not None]
        for attempt in dropped:
            await attempts.drop(tx.connection, attempt, "made ahead, but no try came", now)
    for attempt in dropped:
        for path in attempt.paths.values():
            await work.store.objects.close(path)


async def drop_phantoms(work: Work) -> None:
    """Ask Airflow about runs that nothing but their own start speaks for; what it does not know was never there."""
    now = work.clock()
    async with work.database.begin() as tx:
        doubtful = await runs.unconfirmed(tx.connection, now - work.terms.phantom_after, _BATCH)
    unclear = ""
    for start in doubtful:
        asked = work.clock()
        try:
            found = await work.airflow.run(start.run)
        except UnavailableError as error:
            unclear = str(error)
            if work.clock() - asked > _SLOW:
                break
            continue
        verdict = plan_removal(start, found, now=now, grace=work.terms.grace)
        async with work.database.begin() as tx:
            await versions.lock_run(tx.connection, start.run)
            if found is not None:
                await runs.confirm(
                    tx.connection, start.run, start.run_started_at, start.run_after, start.logical_date, now
                )
                await runs.set_absent(tx.connection, start, None)
            elif verdict.allowed:
                await runs.give_up(tx.connection, start, now)
                await plan_run(work, tx.connection, start.run)
            else:
                await runs.set_absent(tx.connection, start, now)
    if unclear:
        _log.info("doubtful runs wait", error=unclear)


async def plan_forgotten(work: Work) -> None:
    """Plan the clearing of what came after its run's end, and let old waits and tokens go."""
    async with work.database.begin() as tx:
        forgotten = await versions.unplanned(tx.connection, _BATCH)
        await control.forget_waits(tx.connection, work.clock() - timedelta(days=1))
        await told.forget(tx.connection, work.clock() - told.KEPT)
        await tokens.forget(tx.connection, work.clock())
    for run in forgotten:
        async with work.database.begin() as tx:
            await plan_run(work, tx.connection, run)
