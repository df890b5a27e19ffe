"""Which teams are served, how their jobs may get at data, and what of another team may be read."""

from collections.abc import Collection
from datetime import timedelta

from outrider_contracts.declarations import InputDeclaration, TaskDeclaration
from outrider_contracts.tenants import Backend, TeamStatus

from storage.domain.refusals import Refused, Waiting

UNKNOWN_TEAM_PATIENCE = timedelta(minutes=2)
_PLACES: dict[Backend, tuple[str, str]] = {
    "s3": ("in S3", "STORAGE_S3_BUCKET"),
    "directory": ("on a shared volume", "STORAGE_VOLUME_ROOT"),
}
_SERVED = frozenset({"Provisioning", "Ready", "Degraded", "Orphaned"})


def admit(team: str, status: TeamStatus | None, waited: timedelta, offered: Collection[Backend]) -> TeamStatus:
    """The team's status if it may have environments. *offered*: where data may lie here. Raises Waiting or Refused."""
    if status is None:
        if waited < UNKNOWN_TEAM_PATIENCE:
            raise Waiting(f"team {team}, which is not known here yet", retry_after_seconds=1.0)
        raise Refused(
            "unknown-team",
            f"no team {team!r} is known after {int(waited.total_seconds())} s",
            f"onboard it: outrider tenants apply -f {team}.yaml",
        )
    if status.phase not in _SERVED or (status.spec is not None and status.spec.lifecycle != "Active"):
        raise Refused(
            "suspended-team",
            f"team {team} is {status.phase}",
            f"set spec.lifecycle to Active and run: outrider tenants apply -f {team}.yaml",
        )
    if backend_of(status) not in offered:
        raise not_offered(status)
    return status


def backend_of(status: TeamStatus) -> Backend:
    """Where the team's data lies."""
    return "s3" if status.spec is None else status.spec.storage.backend


def not_offered(status: TeamStatus) -> Refused:
    """The refusal for a team whose data would lie where this platform has nothing."""
    place, setting = _PLACES[backend_of(status)]
    return Refused(
        "no-backend",
        f"data of team {status.team} is to lie {place}, and the storage service has none",
        f"a platform administrator sets {setting} for it, or the team's document gets another spec.storage.backend",
    )


def check_mode(reader: TeamStatus, declared: TaskDeclaration) -> None:
    """Raises Refused (bad-declaration) where the team's data can't be had in the way *declared* asks for."""
    backend = backend_of(reader)
    if declared.way == "volume" and backend != "directory":
        why, fix = "is not on a shared volume", 'leave mode out, or write mode="uris"'
    elif declared.way == "uris" and backend == "directory":
        why, fix = "lies on its shared volume and has no addresses", 'write mode="volume" (or "files", but for Spark)'
    else:
        return
    raise Refused(
        "bad-declaration",
        f'task {declared.task_id!r} declares mode="{declared.way}", but data of team {reader.team} {why}',
        fix,
    )


def check_reach(reader: TeamStatus, declared: InputDeclaration, dag_id: str, producer: TeamStatus) -> None:
    """Raises Refused (bad-declaration) where *declared* is another team's output that lies out of the reader's reach.

    A shared volume is mounted for its own team alone; and what carries a try's data has one store to carry it in.
    """
    here, there = backend_of(reader), backend_of(producer)
    if declared.team in (None, reader.team) or here == there == "s3":
        return
    check_grant(reader, declared, dag_id)  # first: where another's data lies is not for everybody
    whose = reader.team if here == "directory" else declared.team
    raise Refused(
        "bad-declaration",
        f"team {reader.team} can't read outputs of team {declared.team}: data of team {whose} lies on a shared volume, "
        "which is mounted for that team alone",
        "teams that read one another's outputs both need spec.storage.backend: s3; or hand the data over by a "
        "connection of both teams (sources=, destinations=)",
    )


def check_grant(reader: TeamStatus, declared: InputDeclaration, dag_id: str) -> None:
    """Raises Refused (not-granted) where *declared* is another team's output without a grant of both sides."""
    if declared.team is None or declared.team == reader.team:
        return
    output = f"{declared.dag or dag_id}/{declared.task}/{declared.output}"
    if any(grant.from_ == declared.team and grant.output == output for grant in reader.readable):
        return
    raise Refused(
        "not-granted",
        f"team {reader.team} may not read {output} of team {declared.team}",
        f"a grant needs both sides: in {declared.team}.yaml grants.offers: [{{to: {reader.team}, output: {output}}}], "
        f"in {reader.team}.yaml grants.accepts: [{{from: {declared.team}, output: {output}}}]; "
        "then outrider tenants apply",
    )
