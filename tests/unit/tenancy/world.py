"""Tenancy as a whole, without a system: real decisions and handlers on memory twins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from outrider_contracts.tenants import AuditRecorded, Backend, TeamDesired, TeamStatus
from tenancy.adapters.memory import MemoryProvisioner, MemoryRegistry
from tenancy.handlers.desired import desire, withdraw
from tenancy.handlers.reconcile import Reconciler
from tenancy.ports import Provisioner


@dataclass
class World:
    """Two provisioners and a registry; `hear` and `work` are what the bus and the loop do."""

    provisioners: Sequence[MemoryProvisioner] = field(
        default_factory=lambda: (MemoryProvisioner("kafka"), MemoryProvisioner("iam"))
    )

    offered: Sequence[Backend] = ("s3",)
    """Where teams' data may lie."""
    real: Sequence[Provisioner] = ()
    """Provisioners beside the twins."""

    def __post_init__(self) -> None:
        provisioners: list[Provisioner] = [*self.provisioners, *self.real]
        self.registry = MemoryRegistry([p.name for p in provisioners])
        self.reconciler = Reconciler(self.registry, provisioners)
        self.heard = 0

    async def hear(self, *records: TeamDesired) -> None:
        for record in records:
            self.heard += 1
            async with self.registry.transaction() as ledger:
                specs = {row.team: row.spec for row in await ledger.all()}
                await desire(ledger, record, specs, f"desired/0/{self.heard}", datetime.now(UTC), self.offered)

    async def hear_tombstone(self, team: str) -> None:
        async with self.registry.transaction() as ledger:
            await withdraw(ledger, team, "desired/0/99", datetime.now(UTC))

    async def work(self) -> None:
        """Look at every team that is due, once."""
        for team in await self.registry.due(datetime.now(UTC)):
            await self.reconciler.look_at(team)

    def status(self, team: str) -> TeamStatus:
        return self.registry.statuses(team)[-1]

    def audits(self, action: str) -> list[AuditRecorded]:
        said = self.registry.said
        return [event for event in said if isinstance(event, AuditRecorded) and event.action == action]
