"""A team in Airflow: its row, its pools, its bundle in the list, and the connection `outrider` of its tasks.

Airflow has no route that makes a team or changes the bundle list; a row and a file are what its own tools write.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from outrider_bus.ports import Connection

from tenancy.adapters.credentials import new_password
from tenancy.adapters.file_secrets import read_private, write_private
from tenancy.adapters.postgres import connected
from tenancy.domain.bundles import bundle_list, mistake, pool_names
from tenancy.domain.clients import sha256
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, Clients, ProvisioningFailed, Roster

_CONNECTION = "outrider"
_BUNDLE_ACTIVE = """
SELECT EXISTS (
    SELECT FROM dag_bundle JOIN dag_bundle_team ON dag_bundle_name = name WHERE name = $1 AND active AND team_name = $2
)
"""
_PUT_POOL = """
INSERT INTO slot_pool (pool, slots, description, include_deferred, team_name)
VALUES ($1, $2, 'made by Outrider', false, $3)
ON CONFLICT (pool) DO UPDATE SET slots = excluded.slots, team_name = excluded.team_name
"""


@dataclass(frozen=True)
class Place:
    """Where Airflow and what its tasks call are found."""

    database_url: str
    database_password_file: Path | None
    bundles_file: Path
    bundles_root: Path
    connections: Path
    storage_url: str
    token_url: str


class AirflowProvisioner:
    """Makes and keeps a team's part of Airflow. Waits until a dag-processor has taken the bundle up."""

    name = "airflow"

    def __init__(self, place: Place, roster: Roster, clients: Clients) -> None:
        self._place, self._roster, self._clients = place, roster, clients
        self._writing = asyncio.Lock()

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        async with connected(self._place.database_url, self._place.database_password_file) as connection:
            return (await self._gap(connection, wanted)).changes(wanted)

    async def apply(self, wanted: Wanted) -> Applied:
        async with connected(self._place.database_url, self._place.database_password_file) as connection:
            gap = await self._gap(connection, wanted)
            await asyncio.to_thread((self._place.bundles_root / wanted.team).mkdir, parents=True, exist_ok=True)
            if gap.bundles:
                await self._write_bundles(connection)
            for pool, slots in gap.pools.items():
                await connection.execute(_PUT_POOL, pool, slots, wanted.names.airflow_team)
            if gap.client:
                await self._mint_client(wanted)
            taken_up = await connection.fetchval(_BUNDLE_ACTIVE, wanted.names.bundle, wanted.names.airflow_team)
        refs = {"http": f"airflow-connection:{wanted.team}/{_CONNECTION}"}
        return Applied(gap.changes(wanted), refs, "" if taken_up else "WaitingForReload")

    async def _gap(self, connection: Connection, wanted: Wanted) -> "_Gap":
        if wrong := mistake(wanted.spec.airflow.bundle):
            raise ProvisioningFailed(wrong)
        names = wanted.names
        team = await connection.fetchval("SELECT EXISTS (SELECT FROM team WHERE name = $1)", names.airflow_team)
        wants = pool_names(wanted.team, wanted.spec.airflow.pools)
        slots = {name: wanted.spec.airflow.pools[own] if wanted.active else 0 for name, own in wants.items()}
        rows = await connection.fetch("SELECT pool, slots FROM slot_pool WHERE team_name = $1", names.airflow_team)
        found = {row["pool"]: row["slots"] for row in rows}
        withdrawn = {pool: 0 for pool, held in found.items() if pool not in slots and held}
        return _Gap(
            team=not team,
            bundles=not team
            or await self._bundles() != await asyncio.to_thread(read_private, self._place.bundles_file),
            pools={pool: wish for pool, wish in slots.items() if found.get(pool) != wish} | withdrawn,
            client=wanted.active and not await self._client_fits(wanted),
        )

    async def _bundles(self) -> str:
        return bundle_list(await self._roster.wanted(), str(self._place.bundles_root))

    async def _write_bundles(self, connection: Connection) -> None:
        """Rows before the list: a dag-processor refuses to start on a list with a team that Airflow doesn't know."""
        async with self._writing:
            teams = await self._roster.wanted()
            names = [wanted.names.airflow_team for wanted in teams]
            await connection.execute("INSERT INTO team (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", names)
            text = bundle_list(teams, str(self._place.bundles_root))
            if text != await asyncio.to_thread(read_private, self._place.bundles_file):
                await asyncio.to_thread(_replace, self._place.bundles_file, text)

    async def _client_fits(self, wanted: Wanted) -> bool:
        held = await asyncio.to_thread(read_private, self._place.connections / wanted.team / _CONNECTION)
        client = await self._clients.find(wanted.names.http_client)
        if not held or client is None:
            return False
        connection: dict[str, object] = json.loads(held)
        secret = str(connection.get("password"))
        return client.proves_itself(secret) and connection == self._connection(wanted, secret)

    async def _mint_client(self, wanted: Wanted) -> None:
        """Keep the hash first: a crash after it leaves a client nobody can use, and the next look mints anew."""
        secret = new_password()
        await self._clients.put(wanted.names.http_client, wanted.team, sha256(secret))
        text = json.dumps(self._connection(wanted, secret), indent=2) + "\n"
        await asyncio.to_thread(write_private, self._place.connections / wanted.team / _CONNECTION, text)

    def _connection(self, wanted: Wanted, secret: str) -> dict[str, object]:
        """The connection as Airflow reads it from JSON."""
        storage = urlsplit(self._place.storage_url)
        return {
            "conn_type": "http", "schema": storage.scheme, "host": storage.hostname, "port": storage.port,
            "login": wanted.names.http_client, "password": secret, "extra": {"token_url": self._place.token_url},
        }  # fmt: skip


@dataclass(frozen=True)
class _Gap:
    """What is not as wanted."""

    team: bool
    bundles: bool
    pools: Mapping[str, int]
    client: bool

    def changes(self, wanted: Wanted) -> tuple[Change, ...]:
        names = wanted.names
        return (
            *([Change("team.create", names.airflow_team)] if self.team else []),
            *([Change("bundles.write", names.bundle)] if self.bundles else []),
            *(Change("pool.set", f"{pool}={slots}") for pool, slots in sorted(self.pools.items())),
            *([Change("client.set", names.http_client)] if self.client else []),
        )


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: task processes read the list at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)
