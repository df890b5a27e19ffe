"""Removing versions: Airflow is asked first, then they are out of reach for a while, then their bytes are deleted."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import structlog
from outrider_bus import telemetry
from outrider_bus.ports import UnavailableError
from outrider_contracts.environments import VersionCleared, VersionDoomed
from outrider_contracts.keys import RunKey

from storage.cases.work import Work
from storage.domain.removal import Verdict, plan_removal
from storage.domain.runs import newest
from storage.ports import RemovalRefused, UnsafePath
from storage.records import control, listings, removals, runs
from storage.records.listings import Listed

_BATCH = 200
_ABANDONED = timedelta(minutes=15)
_log = structlog.stdlib.get_logger(__name__)


async def doom_due(work: Work) -> int:
    """Put out of reach what is due, unheld and let go by Airflow. Returns how many."""
    async with work.database.begin() as tx:
        if (await control.frozen(tx.connection)).frozen:
            return 0
        due = await listings.due(tx.connection, work.clock(), _BATCH)
    doomed = 0
    for run, listed in _by_run(due):
        verdict = await _ask(work, run)
        if not verdict.allowed:
            await _wait(work, listed, verdict.why)
            continue
        for one in listed:
            with telemetry.effect("doom version", run.record_key, path=one.path):
                doomed += await _doom(work, one)
    return doomed


async def remove_doomed(work: Work) -> int:
    """Delete what has been out of reach for the undo window, if Airflow still lets it go. Returns how many."""
    now = work.clock()
    async with work.database.begin() as tx:
        if (await control.frozen(tx.connection)).frozen:
            return 0
        ready = await listings.removable(tx.connection, now, now - _ABANDONED, _BATCH)
    removed = 0
    for run, listed in _by_run(ready):
        verdict = await _ask(work, run)
        for one in listed:
            if not verdict.allowed and one.state == "doomed":
                await _wait(work, [one], verdict.why)
            elif not await _remove(work, one):
                return removed
            else:
                removed += 1
    return removed


async def _ask(work: Work, run: RunKey) -> Verdict:
    """What Airflow says of the run now; an Airflow that can't be asked says wait."""
    async with work.database.begin() as tx:
        known = newest(await runs.starts(tx.connection, run))
    if known is None:
        return Verdict(False, "nothing is known of the run")
    try:
        found = await work.airflow.run(run)
    except UnavailableError as error:
        return Verdict(False, f"Airflow can't be asked: {error}")
    verdict = plan_removal(known, found, now=work.clock(), grace=work.terms.grace)
    if verdict.absent or known.absent_since is not None:
        async with work.database.begin() as tx:
            await runs.set_absent(tx.connection, known, work.clock() if verdict.absent else None)
    return verdict


async def _wait(work: Work, listed: Iterable[Listed], why: str) -> None:
    async with work.database.begin() as tx:
        await removals.set_waiting(tx.connection, [one.path for one in listed], why, work.clock())


async def _doom(work: Work, listed: Listed) -> bool:
    now = work.clock()
    async with work.database.begin() as tx:
        if (await control.frozen(tx.connection)).frozen:
            return False
        doomed = await removals.doom(tx.connection, listed.path, now, work.terms.undo)
        if doomed is None:  # held or restored meanwhile
            return False
        await tx.say(
            VersionDoomed(
                version=doomed.version, path=doomed.path, reason=doomed.reason,
                not_before=now + work.terms.undo, doomed_at=now,
            ),
            team_copies=True,
        )  # fmt: skip
    return True


async def _remove(work: Work, listed: Listed) -> bool:
    """Delete one version's bytes; False where nothing may be deleted any more (frozen, or too much at once)."""
    now = work.clock()
    async with work.database.begin() as tx:
        state = await control.frozen(tx.connection)
        if state.frozen:
            return False
        since = max(now - timedelta(hours=1), state.since or now - timedelta(hours=1))
        if await removals.removals_since(tx.connection, since) >= work.terms.removals_per_hour:
            reason = f"circuit breaker: {work.terms.removals_per_hour} removals within an hour"
            await control.freeze(tx.connection, frozen=True, reason=reason, by="storage", now=now)
            _log.error(
                "removals stopped", reason=reason, fix="outrider storage pending, then outrider storage unfreeze"
            )
            return False
        epoch = await removals.claim_removal(tx.connection, listed, now)
    if epoch is None:  # restored, or another instance is at it
        return True
    try:
        with telemetry.effect("remove version", listed.version.record_key, path=listed.path):
            removal = await work.store.objects.remove(listed.path)
    except (RemovalRefused, UnsafePath) as error:
        # stays "clearing" and is tried again after a while
        _log.error("version not removed", team=listed.version.team, path=listed.path, error=str(error))
        return True
    async with work.database.begin() as tx:
        at = work.clock()
        if await removals.set_cleared(tx.connection, listed.path, epoch, removal.objects, removal.bytes, at):
            await tx.say(
                VersionCleared(
                    version=listed.version, path=listed.path, reason=listed.reason,
                    objects=removal.objects, bytes=removal.bytes, cleared_at=at,
                ),
                team_copies=True,
            )  # fmt: skip
    return True


def _by_run(listed: Iterable[Listed]) -> list[tuple[RunKey, list[Listed]]]:
    groups: dict[RunKey, list[Listed]] = defaultdict(list)
    for one in listed:
        groups[one.version.run].append(one)
    return list(groups.items())
