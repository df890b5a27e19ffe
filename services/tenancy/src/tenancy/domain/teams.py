"""What tenancy knows of one team, and what its provisioners are asked to bring about."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from outrider_contracts.names import DerivedNames
from outrider_contracts.tenants import Acceptance, Condition, TeamSpec


@dataclass(frozen=True)
class Refusal:
    """Why a record was not accepted. `quiet`: an old record seen again, nothing anyone has to be told of."""

    reason: str
    message: str
    quiet: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a provisioner brings about for one team. `active` False: access ends, data stays."""

    team: str
    uid: str
    spec: TeamSpec
    readable: tuple[Acceptance, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the team may use what it has."""
        return self.spec.lifecycle == "Active"

    @property
    def names(self) -> DerivedNames:
        """The team's name in every system."""
        return DerivedNames(self.team)


@dataclass(frozen=True)
class TeamRecord:
    """One row of tenancy's table, which is the truth. `version` counts every change that gives provisioners work."""

    team: str
    uid: str
    generation: int
    digest: str
    spec: TeamSpec
    due_at: datetime
    resync_at: datetime
    requested_by: str = ""
    because: str = ""
    orphaned: bool = False
    refusal: Refusal | None = None
    readable: tuple[Acceptance, ...] = ()
    version: int = 1
    applied: Mapping[str, int] = field(default_factory=dict)
    """Provisioner -> version it has brought about."""
    attempts: int = 0
    conditions: tuple[Condition, ...] = ()
    secret_refs: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    said: str = ""
    """Digest of the status said last."""

    @property
    def wanted(self) -> Wanted:
        """What provisioners are asked for."""
        return Wanted(self.team, self.uid, self.spec, self.readable)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((c for c in self.conditions if c.type == type_), None)

    def stating(self, type_: str, status: bool | None, reason: str, message: str, now: datetime) -> Self:
        """The record with that condition. `since` moves only when the status does."""
        spelt = {True: "True", False: "False", None: "Unknown"}[status]
        before = self.condition(type_)
        since = before.since if before is not None and before.status == spelt else now
        stated = Condition.model_validate(
            {"type": type_, "status": spelt, "reason": reason, "message": message, "since": since}
        )
        others = (c for c in self.conditions if c.type != type_)
        return replace(self, conditions=tuple(sorted((*others, stated), key=lambda c: c.type)))
