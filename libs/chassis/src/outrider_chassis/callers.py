"""Who calls: the claims of a token and what they allow. Pure."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """Each role may what the ones before it may."""

    viewer = 1
    operator = 2
    administrator = 3


@dataclass(frozen=True)
class Caller:
    """A verified caller: client id, role, and the one team it belongs to (None: the platform itself)."""

    subject: str
    role: Role
    team: str | None = None

    def may_act_for(self, team: str) -> bool:
        """Platform callers act for every team, a team's own caller for that team alone."""
        return self.team is None or self.team == team

    def may(self, role: Role, team: str | None = None) -> bool:
        """At least *role*, and for *team* (None: for the platform as a whole)."""
        return self.role >= role and (self.team is None if team is None else self.may_act_for(team))
