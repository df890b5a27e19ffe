"""The onboarding topic: accept or refuse, store, and let the work loop do the rest. Absence never deletes."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import structlog
from outrider_bus.ports import Heard, Tx
from outrider_bus.records import RawRecord, cloud_event
from outrider_contracts.envelope import Envelope, UndecodableError
from outrider_contracts.event import Event
from outrider_contracts.tenants import AuditRecorded, Backend, TeamDesired, TeamSpec

from tenancy.domain.acceptance import accept, clash, give_work, judge, moved
from tenancy.domain.grants import concerned, readable
from tenancy.domain.teams import Refusal, TeamRecord
from tenancy.ports import Ledger

_log = structlog.stdlib.get_logger(__name__)


class TeamWithdrawn(Event):
    """The declaration of a team is gone from the topic (a tombstone). Tenancy's own reading, never said."""

    topic: ClassVar[str] = TeamDesired.topic
    team: str

    def key(self) -> str:
        return self.team

    def identity(self) -> tuple[object, ...]:
        return (self.team,)


def decode_desired(record: RawRecord) -> tuple[Envelope, Event] | None:
    """Read a record of the onboarding topic: a wanted state under its own team's key, or a tombstone."""
    key = (record.key or b"").decode(errors="replace")
    if record.value is None:
        return Envelope(id=str(record.origin), type="tombstone", source=record.topic), TeamWithdrawn(team=key)
    heard = cloud_event(record)
    if heard is not None and heard[1].key() != key:
        raise UndecodableError("key", f"the record of team {heard[1].key()!r} has the key {key!r}")
    return heard


async def hear_desired(
    heard: Sequence[Heard[Event]], tx: Tx, ledger_of: Callable[[Tx], Ledger], offered: Collection[Backend]
) -> None:
    """Store what is accepted, answer what is not. *offered*: where teams' data may lie here."""
    ledger, now = ledger_of(tx), datetime.now(UTC)
    specs = {record.team: record.spec for record in await ledger.all()}
    for one in heard:
        because = str(one.origin)
        if isinstance(one.event, TeamWithdrawn):
            await withdraw(ledger, one.event.team, because, now)
        elif isinstance(one.event, TeamDesired):
            await desire(ledger, one.event, specs, because, now, offered)


async def desire(
    ledger: Ledger, desired: TeamDesired, specs: dict[str, TeamSpec], because: str, now: datetime,
    offered: Collection[Backend],
) -> None:  # fmt: skip
    """Accept *desired* and give work to every team whose grants it changes; or say why not.

    *specs* holds the spec in force of every team; what is accepted is put into it.
    """
    known = await ledger.get(desired.team)
    refusal = judge(desired, known) or moved(desired, known, offered)
    refusal = refusal or (clash(desired.team, specs) if known is None else None)
    if refusal is not None:
        await _refuse(ledger, desired, known, refusal, because)
        return
    specs[desired.team] = desired.spec
    record = accept(desired, known, because, now)
    await ledger.put(_with_grants(record, specs), _audit(desired, "team.accept", "done", "", because))
    for team in sorted(concerned(desired.team, known.spec if known else None, desired.spec) - {desired.team}):
        other = await ledger.get(team)
        if other is not None and (renewed := _with_grants(other, specs)) != other:
            await ledger.put(give_work(renewed, now))
    _log.info("team accepted", team=desired.team, generation=desired.generation, because=because)


async def withdraw(ledger: Ledger, team: str, because: str, now: datetime) -> None:
    """A tombstone orphans: everything stays as it is until someone says what is wanted."""
    known = await ledger.get(team)
    if known is None or known.orphaned:
        return
    audit = AuditRecorded(
        team=team, actor=known.requested_by or "unknown", action="team.withdraw", resource=f"team/{team}",
        detail="declaration withdrawn; nothing is removed", because=because, at=now,
    )  # fmt: skip
    await ledger.put(replace(known, orphaned=True), audit)
    _log.warning("team orphaned", team=team, because=because)


def _with_grants(record: TeamRecord, specs: dict[str, TeamSpec]) -> TeamRecord:
    return replace(record, readable=readable(record.team, specs))


async def _refuse(
    ledger: Ledger, desired: TeamDesired, known: TeamRecord | None, refusal: Refusal, because: str
) -> None:
    if refusal.reason == "Known":
        return
    audit = _audit(desired, "team.refuse", "refused", f"{refusal.reason}: {refusal.message}", because)
    if known is None or refusal.quiet:
        await ledger.tell(audit)
    else:
        await ledger.put(replace(known, refusal=refusal), audit)
    _log.warning("team refused", team=desired.team, reason=refusal.reason, because=because)


def _audit(desired: TeamDesired, action: str, outcome: str, detail: str, because: str) -> AuditRecorded:
    return AuditRecorded.model_validate(
        {
            "team": desired.team, "actor": desired.requested_by or "unknown", "action": action,
            "resource": f"team/{desired.team}/generation/{desired.generation}", "outcome": outcome, "detail": detail,
            "because": because, "at": desired.requested_at,
        }
    )  # fmt: skip
