"""Harmless twins of everything outside, for tests and for trying things out."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from outrider_contracts.event import Event
from outrider_contracts.tenants import AuditRecorded, TeamStatus

from tenancy.domain.clients import Client
from tenancy.domain.status import changed
from tenancy.domain.teams import TeamRecord, Wanted
from tenancy.ports import Applied, Change, Ledger


class MemorySecretStore:
    """Secrets in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Mapping[str, str]] = {}

    async def get(self, team: str, name: str) -> Mapping[str, str] | None:
        return self.kept.get((team, name))

    async def put(self, team: str, name: str, values: Mapping[str, str]) -> None:
        self.kept[team, name] = dict(values)

    def reference(self, team: str, name: str) -> str:
        return f"memory:{team}/{name}"


class MemoryClients:
    """Hashes in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Client] = {}

    async def find(self, client_id: str) -> Client | None:
        return self.kept.get(client_id)

    async def put(self, client_id: str, team: str, secret_sha256: str) -> None:
        self.kept[client_id] = Client(secret_sha256, "operator", team)


@dataclass
class MemoryProvisioner:
    """A system that holds one thing per team: whether it may be used, and under which spec."""

    name: str
    held: dict[str, tuple[bool, str]] = field(default_factory=dict)
    fails_with: Exception | None = None
    conflict: str = ""
    applied: list[str] = field(default_factory=list)

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        if self.fails_with is not None:
            raise self.fails_with
        if self.held.get(wanted.team) == self._state(wanted):
            return ()
        return (Change("set" if wanted.active else "revoke", f"{self.name}/{wanted.team}"),)

    async def apply(self, wanted: Wanted) -> Applied:
        changes = await self.plan(wanted)
        self.held[wanted.team] = self._state(wanted)
        self.applied.append(wanted.team)
        return Applied(changes, {self.name: f"memory:{wanted.team}/{self.name}"}, conflict=self.conflict)

    @staticmethod
    def _state(wanted: Wanted) -> tuple[bool, str]:
        return wanted.active, f"{wanted.spec.digest}/{wanted.readable}"


class MemoryRegistry:
    """The table as a dictionary, and everything said because of it."""

    def __init__(self, provisioners: Sequence[str]) -> None:
        self._provisioners = provisioners
        self._lock = asyncio.Lock()
        self._held: set[str] = set()
        self._bell = asyncio.Event()
        self.rows: dict[str, TeamRecord] = {}
        self.said: list[Event] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Ledger]:
        async with self._lock:
            before, said = dict(self.rows), len(self.said)
            try:
                yield self
            except BaseException:
                self.rows = before
                del self.said[said:]
                raise

    async def due(self, now: datetime) -> Sequence[str]:
        rows = [row for row in self.rows.values() if row.due_at <= now and not row.orphaned]
        return [row.team for row in sorted(rows, key=lambda row: row.due_at)]

    @asynccontextmanager
    async def hold(self, team: str) -> AsyncIterator[bool]:
        mine = team not in self._held
        self._held.add(team)
        try:
            yield mine
        finally:
            if mine:
                self._held.discard(team)

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return
        self._bell.clear()

    async def wanted(self) -> Sequence[Wanted]:
        return [row.wanted for row in await self.all()]

    async def get(self, team: str) -> TeamRecord | None:
        return self.rows.get(team)

    async def all(self) -> Sequence[TeamRecord]:
        return [row for _, row in sorted(self.rows.items())]

    async def put(self, record: TeamRecord, *audits: AuditRecorded) -> None:
        record, status = changed(record, self._provisioners, datetime.now(UTC))
        self.rows[record.team] = record
        self.said += [*audits, *([status] if status is not None else [])]
        self._bell.set()

    async def tell(self, *audits: AuditRecorded) -> None:
        self.said += audits

    def make_due(self, team: str, *, full: bool = False) -> None:
        """As if the time had passed."""
        now = datetime.now(UTC)
        row = self.rows[team]
        self.rows[team] = replace(row, due_at=now, resync_at=now if full else row.resync_at)

    def statuses(self, team: str) -> list[TeamStatus]:
        """What was said of *team*, oldest first."""
        return [said for said in self.said if isinstance(said, TeamStatus) and said.team == team]
