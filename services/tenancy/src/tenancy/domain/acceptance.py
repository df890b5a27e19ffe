"""Which records of the onboarding topic are accepted, and what accepting one changes."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from outrider_contracts.names import DerivedNames
from outrider_contracts.tenants import Backend, TeamDesired

from tenancy.domain.teams import Refusal, TeamRecord

RESYNC = timedelta(minutes=15)
STORAGE = "storage"
"""The provisioner that says whether a team's data may lie where its document wants it."""


def judge(desired: TeamDesired, known: TeamRecord | None) -> Refusal | None:
    """Say why *desired* is not accepted, None if it is. Compacted topics have no compare-and-set: this is it."""
    if known is not None:
        if desired.uid != known.uid:
            return Refusal("ForeignUid", f"{desired.team} is known under another uid; an id is never given away again")
        if desired.generation < known.generation:
            message = f"generation {desired.generation} is older than {known.generation}, which is in force"
            return Refusal("Stale", message, quiet=True)
        if desired.generation == known.generation:
            if desired.digest == known.digest:
                return Refusal("Known", "this generation is in force already", quiet=True)
            message = (
                f"generation {desired.generation} was taken by another change "
                f"({known.digest[:12]}, this one is {desired.digest[:12]}); read the team again and apply anew"
            )
            return Refusal("Conflict", message)
    if desired.digest != desired.spec.digest:
        named, has = desired.digest[:12], desired.spec.digest[:12]
        message = f"generation {desired.generation} names digest {named}, its spec has {has}"
        return Refusal("DigestMismatch", message)
    if known is None and desired.spec.lifecycle == "Deleted":
        return Refusal("Unknown", f"{desired.team} is not known here, so there is nothing to delete")
    return None


def moved(desired: TeamDesired, known: TeamRecord | None, offered: Collection[Backend]) -> Refusal | None:
    """Say whether *desired* would have the team's data elsewhere than it may lie already; None if it would not.

    Data is never moved. A backend that was never *offered* holds none, so a document that named it may be mended.
    """
    if known is None:
        return None
    now, then = desired.spec.storage.backend, known.spec.storage.backend
    if now == then or (then not in offered and STORAGE not in known.applied):
        return None
    message = (
        f"data of {desired.team} lies under storage.backend {then!r} and is never moved: write that again "
        f"({desired.digest[:12]} names {now!r}), or onboard a team with another id"
    )
    return Refusal("BackendFixed", message)


def clash(team: str, others: Iterable[str]) -> Refusal | None:
    """Say whether a new *team* would share the user of its pods with one of *others*; None for the usual case."""
    drawn = DerivedNames(team).unix_id
    taken = next((other for other in others if other != team and DerivedNames(other).unix_id == drawn), None)
    if taken is None:
        return None
    message = f"pods of {team} would run as user {drawn}, as those of {taken} do; choose another id"
    return Refusal("UnixIdTaken", message)


def accept(desired: TeamDesired, known: TeamRecord | None, because: str, now: datetime) -> TeamRecord:
    """The row after *desired* was accepted: work is due at once, what provisioners did for older versions is redone."""
    if known is None:
        return TeamRecord(
            desired.team, desired.uid, desired.generation, desired.digest, desired.spec, due_at=now,
            resync_at=now + RESYNC, requested_by=desired.requested_by, because=because,
        )  # fmt: skip
    renewed = replace(
        known, generation=desired.generation, digest=desired.digest, spec=desired.spec, refusal=None, orphaned=False,
        requested_by=desired.requested_by, because=because,
    )  # fmt: skip
    return give_work(renewed, now)


def give_work(record: TeamRecord, now: datetime) -> TeamRecord:
    """The row with every provisioner asked anew, at once."""
    return replace(record, version=record.version + 1, due_at=now, attempts=0)
