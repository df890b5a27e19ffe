"""What tenancy needs from outside, as promises. Vendor errors end at the adapters."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from outrider_contracts.tenants import AuditRecorded

from tenancy.domain.clients import Client
from tenancy.domain.manifests import Manifest, Ref
from tenancy.domain.teams import TeamRecord, Wanted


class ProvisioningFailed(Exception):
    """The outside system said no for a reason a person has to look at. The message carries no secret."""


class FieldsHeld(Exception):
    """Fields that were to be set belong to other managers; nothing was changed. The message names field and manager."""


@dataclass(frozen=True)
class Change:
    """One thing that is done, or would be done, to one resource."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"


@dataclass(frozen=True)
class Applied:
    """What was done, where the team's credentials lie, what is waited for, and what others hold ("" = nothing)."""

    changes: tuple[Change, ...] = ()
    secret_refs: Mapping[str, str] | None = None
    waiting_for: str = ""
    conflict: str = ""


class Provisioner(Protocol):
    """Makes a team exist in one system. All methods may be repeated, also after a crash in the middle.

    They raise UnavailableError while the system is away and ProvisioningFailed for a no.
    """

    @property
    def name(self) -> str:
        """The condition's type in the team's status."""

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        """Observe and compare: what `apply` would do now. Changes nothing; empty means all is as wanted."""

    async def apply(self, wanted: Wanted) -> Applied:
        """Bring the system to what is wanted: for an active team all it needs, for another one no access.

        Data is never removed. Access that narrows is added to before it is taken from.
        """


class Cluster(Protocol):
    """Kubernetes objects, as one field manager sets them. Every method may be repeated with the same result."""

    async def find(self, ref: Ref) -> Manifest | None:
        """The object as it is, None if there is none."""

    async def apply(self, manifest: Manifest, *, dry: bool = False, force: bool = False) -> Manifest:
        """Have the fields of *manifest* and no others that we once set; answer the object as it is (*dry*: would be).

        Raises FieldsHeld where another manager has set one of them otherwise, unless *force* takes it over.
        """

    async def remove(self, ref: Ref) -> None:
        """Have no such object."""

    async def token(self, namespace: str, account: str, seconds: int) -> str:
        """A token of the service account (a JWT), good for about *seconds*."""


class SecretStore(Protocol):
    """Where credentials lie. They go nowhere else: not into events, logs or command lines."""

    async def get(self, team: str, name: str) -> Mapping[str, str] | None:
        """The secret, None if there is none."""

    async def put(self, team: str, name: str, values: Mapping[str, str]) -> None:
        """Keep the secret whole, in place of an older one."""

    def reference(self, team: str, name: str) -> str:
        """How the secret is referred to in events."""


class Clients(Protocol):
    """Who may ask for tokens: hashes only."""

    async def find(self, client_id: str) -> Client | None:
        """The client, None if it is not known."""

    async def put(self, client_id: str, team: str, secret_sha256: str) -> None:
        """Let the client in as an operator of *team*, in place of an older secret."""


class Signer(Protocol):
    """Mints short-lived tokens and publishes the key that verifies them."""

    def mint(self, subject: str, role: str, team: str | None) -> str:
        """A token that says so, good for `seconds`."""

    @property
    def seconds(self) -> int:
        """How long a token is good for."""

    async def jwks(self) -> Mapping[str, object]:
        """The public keys (RFC 7517)."""


class Roster(Protocol):
    """All teams that are in force, as the bundle list has to name every one of them."""

    async def wanted(self) -> Sequence[Wanted]:
        """What is wanted of every team, ordered by id."""


class Ledger(Protocol):
    """Tenancy's table inside one transaction. Writing a row says its status, if that changed."""

    async def get(self, team: str) -> TeamRecord | None:
        """The row, locked until the transaction ends."""

    async def all(self) -> Sequence[TeamRecord]:
        """Every row, ordered by id."""

    async def put(self, record: TeamRecord, *audits: AuditRecorded) -> None:
        """Write the row, say its status where it says something new, and the audit events."""

    async def tell(self, *audits: AuditRecorded) -> None:
        """Say audit events that change no row."""


class Registry(Protocol):
    """Tenancy's table: what was accepted, and which team is to be looked at next."""

    async def due(self, now: datetime) -> Sequence[str]:
        """Teams whose time has come, longest waiting first."""

    def hold(self, team: str) -> AbstractAsyncContextManager[bool]:
        """One flight per team over all replicas; False while another one has it."""

    def transaction(self) -> AbstractAsyncContextManager[Ledger]:
        """Everything written in it stands or falls together."""

    async def wait(self, seconds: float) -> None:
        """Return when a row has been written that may be due, or after *seconds*."""
