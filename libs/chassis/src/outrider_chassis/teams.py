"""Teams as storage and lineage know them: the newest status of each, kept from `outrider.tenants.status.v1`."""

from collections.abc import Sequence

from outrider_bus.bus import Bus
from outrider_bus.ports import Heard, NeverAgain, Tx
from outrider_contracts.event import Event
from outrider_contracts.tenants import Acceptance, TeamStatus

from outrider_chassis.database import Pool

_NEVER_AGAIN: NeverAgain = {
    TeamStatus: "what a team is, is told once: a replay may not change a tenant; tenancy tells it anew when it changes"
}
_ACTIVE = frozenset({"Provisioning", "Ready", "Degraded", "Orphaned"})

_KEEP = """
INSERT INTO chassis.teams (team, phase, updated_at, status)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[])
ON CONFLICT (team) DO UPDATE SET phase = excluded.phase, updated_at = excluded.updated_at, status = excluded.status
WHERE excluded.updated_at > teams.updated_at
"""


class TeamsProjection:
    """What is known of teams. Reading it asks this service's own database only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def listen(self, bus: Bus, group: str) -> None:
        """Keep the projection up to date from *bus* under consumer group *group*."""
        bus.batches(
            group=group, topics=(TeamStatus.topic,), types=(TeamStatus,), handler=keep_statuses,
            never_again=_NEVER_AGAIN,
        )  # fmt: skip

    async def get(self, team: str) -> TeamStatus | None:
        """The team's status; None while the team is not known."""
        text = await self._pool.fetchval("SELECT status::text FROM chassis.teams WHERE team = $1", team)
        return None if text is None else TeamStatus.model_validate_json(text)

    async def readable(self, team: str) -> tuple[Acceptance, ...]:
        """Outputs of other teams that *team* may read: grants with both sides."""
        status = await self.get(team)
        return () if status is None else status.readable

    async def admits(self, team: str) -> bool:
        """False for a team that is suspended, deleted or refused. A team not yet known is admitted."""
        phase = await self._pool.fetchval("SELECT phase FROM chassis.teams WHERE team = $1", team)
        return phase is None or phase in _ACTIVE


async def keep_statuses(heard: Sequence[Heard[Event]], tx: Tx) -> None:
    """Keep the newest status of each team; any order and any repetition gives the same table."""
    newest: dict[str, TeamStatus] = {}
    for one in heard:
        status = one.event
        if not isinstance(status, TeamStatus):
            continue
        known = newest.get(status.team)
        if known is None or status.updated_at > known.updated_at:
            newest[status.team] = status
    rows = list(newest.values())
    await tx.connection.execute(
        _KEEP,
        [row.team for row in rows],
        [row.phase for row in rows],
        [row.updated_at for row in rows],
        [row.model_dump_json(by_alias=True) for row in rows],
    )
