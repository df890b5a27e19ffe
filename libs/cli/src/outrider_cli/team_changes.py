"""What applying a document means: decided from what the topics say, without sending anything. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from outrider_contracts.tenants import TeamDesired, TeamDocument, TeamStatus

_ON_ITS_WAY = timedelta(minutes=1)
Verdict = Literal["waiting", "done", "conflict", "refused"]


@dataclass(frozen=True)
class TeamChange:
    """One team's document against what is known. `send` None: what is wanted stands in the topic already."""

    team: str
    uid: str
    generation: int
    digest: str
    send: TeamDesired | None


def plan_change(
    document: TeamDocument,
    desired: TeamDesired | None,
    status: TeamStatus | None,
    *,
    new_uid: str,
    by: str,
    now: datetime,
) -> TeamChange:
    """Say what to send: generation = last + 1 under the known uid; nothing where the same is in force or on its way."""
    team, digest = document.metadata.name, document.spec.digest
    if desired is not None and desired.digest == digest and _counts(desired, status, now):
        return TeamChange(team, desired.uid, desired.generation, digest, None)
    uid = status.uid if status is not None else desired.uid if desired is not None else new_uid
    last = max(desired.generation if desired else 0, status.observed_generation if status else 0)
    sent = TeamDesired(
        team=team, uid=uid, generation=last + 1, digest=digest, spec=document.spec, requested_by=by, requested_at=now
    )
    return TeamChange(team, uid, last + 1, digest, sent)


def _counts(desired: TeamDesired, status: TeamStatus | None, now: datetime) -> bool:
    """Whether the record is in force, or was sent a moment ago: the topic also keeps what was refused."""
    if status is not None and status.observed_generation >= desired.generation:
        return (status.uid, status.digest) == (desired.uid, desired.digest) and status.phase != "Orphaned"
    return now - desired.requested_at < _ON_ITS_WAY


def judge_status(change: TeamChange, status: TeamStatus | None) -> tuple[Verdict, str]:
    """How the change stands by the newest status of its team."""
    if status is None:
        return "waiting", "no status yet"
    if status.uid != change.uid:
        return "conflict", f"{change.team} is known under another uid"
    accepted = status.condition("Accepted")
    if accepted is not None and accepted.status == "False" and change.digest[:12] in accepted.message:
        verdict: Verdict = "conflict" if accepted.reason == "Conflict" else "refused"
        return verdict, f"{accepted.reason}: {accepted.message}"
    newer = status.observed_generation > change.generation
    if newer or (status.observed_generation == change.generation and status.digest != change.digest):
        return "conflict", (
            f"generation {status.observed_generation} ({status.digest[:12]}) of somebody else is in force; "
            "look at it with `outrider tenants get` and apply again"
        )
    if status.observed_generation < change.generation:
        return "waiting", f"generation {change.generation} is not accepted yet"
    return _progress(status)


def _progress(status: TeamStatus) -> tuple[Verdict, str]:
    synced = status.condition("Synced")
    if synced is None or synced.status != "True":
        return "waiting", synced.message if synced is not None else ""
    if status.phase in ("Ready", "Suspended", "Deleted"):
        return "done", status.phase
    return "waiting", status.phase


def provisioners_of(status: TeamStatus) -> Iterable[tuple[str, str, str]]:
    """Provisioner, how it stands, and what it says, in a fixed order."""
    for condition in sorted(status.conditions, key=lambda c: c.type):
        if condition.type not in ("Accepted", "Ready", "Synced"):
            word = "ready" if condition.status == "True" else condition.reason
            yield condition.type, word, condition.message
