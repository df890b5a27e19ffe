"""One look at one team: ask every provisioner that is behind, and put each answer on record as it comes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import random

import structlog
from outrider_bus.ports import UnavailableError
from outrider_contracts.tenants import AuditRecorded

from tenancy.domain.acceptance import RESYNC
from tenancy.domain.backoff import RELOAD_POLL, resync_at, retry_at
from tenancy.domain.status import TROUBLE
from tenancy.domain.teams import TeamRecord
from tenancy.ports import Applied, Ledger, Provisioner, ProvisioningFailed, Registry

_log = structlog.stdlib.get_logger(__name__)
_PATIENCE_SECONDS = 60.0
_ELSEWHERE_SECONDS = 2.0
_QUICK_POLLS = 120


class Reconciler:
    """Brings teams to what the table says. A crash anywhere leaves a team that the next look finishes."""

    def __init__(self, registry: Registry, provisioners: Sequence[Provisioner]) -> None:
        self._registry, self._provisioners = registry, provisioners

    async def begin(self) -> None:
        """Have teams looked at that a provisioner has never done with: it may have been added since."""
        names = {provisioner.name for provisioner in self._provisioners}
        async with self._registry.transaction() as ledger:
            teams = [row.team for row in await ledger.all() if not row.orphaned and names - row.applied.keys()]
        for team in teams:  # each by itself: who hears a document locks its team first, then all
            async with self._registry.transaction() as ledger:
                if record := await ledger.get(team):
                    await ledger.put(replace(record, due_at=datetime.now(UTC)))

    async def look_at(self, team: str) -> None:
        """Ask the provisioners that are behind (all of them when a full look is due). Single flight per team."""
        async with self._registry.hold(team) as mine:
            if not mine:
                await self._registry.wait(_ELSEWHERE_SECONDS)
                return
            record = await self._read(team)
            if record is None:
                return
            full = record.resync_at <= datetime.now(UTC)
            asked = [p for p in self._provisioners if full or record.applied.get(p.name) != record.version]
            results = await asyncio.gather(*(self._ask(p, record) for p in asked))
            await self._plan_next(record, full=full, well=all(results))

    async def _read(self, team: str) -> TeamRecord | None:
        """The row; None for an orphan, which stays as it is."""
        async with self._registry.transaction() as ledger:
            record = await ledger.get(team)
        return None if record is None or record.orphaned else record

    async def _ask(self, provisioner: Provisioner, record: TeamRecord) -> bool:
        """Have *provisioner* apply the row; True when it needs no more."""
        name, applied, status, reason, message = provisioner.name, Applied(), True, "Provisioned", ""
        try:
            applied = await asyncio.wait_for(provisioner.apply(record.wanted), _PATIENCE_SECONDS)
            if applied.conflict:
                status, reason, message = False, "Conflict", applied.conflict
            elif applied.waiting_for:
                status, reason, message = False, applied.waiting_for, "the change is written; a reload takes it up"
            elif not record.wanted.active:
                status, reason, message = False, record.spec.lifecycle, "access is revoked, data is kept"
        except (UnavailableError, TimeoutError) as error:
            status, reason, message = False, "Unavailable", str(error) or "no answer in time"
        except ProvisioningFailed as error:
            status, reason, message = False, "Failed", str(error)
        except Exception as error:  # noqa: BLE001  one provisioner's fault must not stop the others; its text may hold a secret
            status, reason, message = False, "Failed", f"unexpected {type(error).__name__}; see tenancy's log"
            _log.exception("provisioner failed", team=record.team, provisioner=name)
        done = reason in ("Provisioned", "Suspended", "Deleted")
        async with self._registry.transaction() as ledger:
            await self._put_on_record(ledger, record, name, applied, (status, reason, message), done)
        log = _log.info if done or applied.waiting_for else _log.warning
        log("provisioner answered", team=record.team, provisioner=name, reason=reason, changes=len(applied.changes))
        return done

    async def _put_on_record(
        self, ledger: Ledger, asked: TeamRecord, name: str, applied: Applied, says: tuple[bool, str, str], done: bool
    ) -> None:
        now = datetime.now(UTC)
        record = await ledger.get(asked.team)
        if record is None:
            return
        if done:
            record = replace(record, applied={**record.applied, name: asked.version})
        if applied.secret_refs:
            record = replace(record, secret_refs={**record.secret_refs, **applied.secret_refs})
        record = record.stating(name, *says, now)
        audits = [
            AuditRecorded(
                team=record.team, actor="tenancy", action=f"{name}.{change.action}", resource=change.resource,
                because=asked.because, at=now,
            )
            for change in applied.changes
        ]  # fmt: skip
        await ledger.put(record, *audits)

    async def _plan_next(self, asked: TeamRecord, *, full: bool, well: bool) -> None:
        now = datetime.now(UTC)
        async with self._registry.transaction() as ledger:
            record = await ledger.get(asked.team)
            if record is None or record.version != asked.version:
                return  # changed meanwhile: it is due already
            if full and well:
                record = replace(record, resync_at=resync_at(now, RESYNC, random()))  # noqa: S311
            due = record.resync_at
            if not well:
                record = replace(record, attempts=record.attempts + 1)
                due = min(due, self._next_try(record, now))
            await ledger.put(replace(record, due_at=due, attempts=0 if well else record.attempts))

    def _next_try(self, record: TeamRecord, now: datetime) -> datetime:
        stated = [record.condition(provisioner.name) for provisioner in self._provisioners]
        reasons = {condition.reason for condition in stated if condition is not None}
        if not reasons & TROUBLE and record.attempts < _QUICK_POLLS:
            return now + RELOAD_POLL
        return retry_at(now, record.attempts, random(), away=not reasons & {"Failed", "Conflict"})  # noqa: S311
