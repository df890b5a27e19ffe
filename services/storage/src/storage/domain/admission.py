"""Which teams are served, and what of another team may be read."""

from datetime import timedelta

from outrider_contracts.declarations import InputDeclaration
from outrider_contracts.tenants import TeamStatus

from storage.domain.refusals import Refused, Waiting

UNKNOWN_TEAM_PATIENCE = timedelta(minutes=2)
_SERVED = frozenset({"Provisioning", "Ready", "Degraded", "Orphaned"})


def admit(team: str, status: TeamStatus | None, waited: timedelta) -> TeamStatus:
    """The team's status if it may have environments. Raises Waiting or Refused."""
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
    return status


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
