"""What people ask for: holding, restoring, freezing, and credentials for a try that goes on."""

from datetime import datetime

from outrider_contracts.declarations import parse_duration
from outrider_contracts.environments import VersionRestored
from outrider_contracts.holdings import FreezeRequest, Frozen, HoldRequest
from outrider_contracts.http import Credentials, CredentialsRequest
from outrider_contracts.tenants import AuditRecorded

from storage.cases.take import give_credentials, still_writing
from storage.cases.work import Work
from storage.domain.refusals import Refused
from storage.records import control, holds, listings, removals, versions
from storage.records.codec import Connection
from storage.records.listings import Listed

PLATFORM = "platform"
"""Stands where an audit record concerns no single team; no team can have this id."""


async def hold(work: Work, request: HoldRequest, by: str) -> list[str]:
    """Keep the versions there from being doomed. Returns their paths."""
    now = work.clock()
    try:
        until = now + parse_duration(request.duration)
    except ValueError as error:
        raise Refused("bad-duration", str(error), "for example --for 7d") from None
    except OverflowError:
        why = f"{request.duration} from now there are no dates any more"
        raise Refused("bad-duration", why, "for example --for 7d") from None
    async with work.database.begin() as tx:
        found = await _below(tx.connection, now, request.path)
        held = await versions.lock_there(tx.connection, [one.path for one in found])  # a doom under way comes first
        there = [one for one in found if one.path in held]
        if not there:
            raise Refused(
                "nothing-to-hold",
                f"nothing at {request.path} can be held any more",
                f"outrider storage restore {request.path}",
            )
        paths = [one.path for one in there]
        await holds.hold(tx.connection, paths, by, reason=request.reason, now=now, until=until)
        await tx.say(_audit(there[0].version.team, by, "storage.hold", request.path, request.reason, now))
    return paths


async def restore(work: Work, path: str, by: str) -> list[str]:
    """Take doomed versions back. Returns their paths."""
    now = work.clock()
    async with work.database.begin() as tx:
        there = await _below(tx.connection, now, path)
        restored = [one for one in there if await removals.restore(tx.connection, one.path)]
        if not restored:
            states = ", ".join(sorted({one.state for one in there}))
            raise Refused(
                "nothing-to-restore", f"nothing at {path} is doomed (found: {states})", "see outrider storage places"
            )
        # without a hold the next pass would doom them again
        paths = [one.path for one in restored]
        reason = "restored"
        await holds.hold(tx.connection, paths, by, reason=reason, now=now, until=now + work.terms.hold)
        for one in restored:
            said = VersionRestored(version=one.version, path=one.path, reason=f"restored by {by}", restored_at=now)
            await tx.say(said, team_copies=True)
        await tx.say(_audit(there[0].version.team, by, "storage.restore", path, "", now))
    return paths


async def team_at(work: Work, path: str) -> str:
    """Whose versions lie at *path*. Raises Refused where there are none."""
    async with work.database.begin() as tx:
        return (await _below(tx.connection, work.clock(), path))[0].version.team


async def freeze(work: Work, request: FreezeRequest, by: str) -> Frozen:
    """Stop all removals, or allow them again."""
    now = work.clock()
    async with work.database.begin() as tx:
        reason = request.reason or ("asked for" if request.frozen else "")
        await control.freeze(tx.connection, frozen=request.frozen, reason=reason, by=by, now=now)
        action = "storage.freeze" if request.frozen else "storage.unfreeze"
        await tx.say(_audit(PLATFORM, by, action, "storage", request.reason, now))
        identity, starts = await control.identity(tx.connection)
        state = await control.frozen(tx.connection)
    if not request.frozen:
        await work.store.marker.write(identity, starts)  # a person says that this is the right database
    return state


async def renew(work: Work, request: CredentialsRequest) -> Credentials | None:
    """New credentials for a try that is neither sealed nor superseded. Raises Refused."""
    tried = request.task
    await work.admit(tried.team, waited=parse_duration("1h"))
    async with work.database.begin() as tx:
        attempt = await still_writing(tx.connection, tried, request.run_started_at)
    return await give_credentials(work, attempt)


async def _below(connection: Connection, now: datetime, path: str) -> list[Listed]:
    there = await listings.below(connection, now, path.strip().lstrip("/"))
    if not there:
        raise Refused(
            "unknown-path", f"no version lies at {path!r}",
            "name a version's directory or a place: see outrider storage places, outrider storage pending",
        )  # fmt: skip
    return there


def _audit(team: str, by: str, action: str, resource: str, detail: str, at: datetime) -> AuditRecorded:
    return AuditRecorded(team=team, actor=by, action=action, resource=resource, detail=detail, at=at)
