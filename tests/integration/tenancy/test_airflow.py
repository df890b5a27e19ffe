"""A team's part of Airflow: rows and files, as a dag-processor and the API server find them."""

import asyncio
import json

import asyncpg
import pytest
from outrider_bus.ports import UnavailableError
from tenancy.domain.teams import Wanted

from tests.integration.tenancy.systems import Systems, changed, new_team


async def onboard(systems: Systems, **spec: object) -> Wanted:
    team = new_team(**spec)
    systems.roster.teams.append(team)
    return team


async def run(systems: Systems, sql: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(systems.airflow.dsn)
    try:
        return list(await connection.fetch(sql, *arguments))
    finally:
        await connection.close()


async def test_a_team_waits_until_a_dag_processor_has_taken_its_bundle_up(systems: Systems) -> None:
    team = await onboard(systems)

    assert (await systems.airflow_provisioner.apply(team)).waiting_for == "WaitingForReload"

    await run(systems, "INSERT INTO dag_bundle VALUES ($1, true)", team.team)
    await run(systems, "INSERT INTO dag_bundle_team VALUES ($1, $1)", team.team)

    assert (await systems.airflow_provisioner.apply(team)).waiting_for == ""


async def test_every_team_of_the_list_has_its_row_before_the_list_is_written(systems: Systems) -> None:
    """A dag-processor refuses to start on a list with a team that Airflow does not know."""
    late, team = await onboard(systems), await onboard(systems)

    await systems.airflow_provisioner.apply(team)

    listed = {entry["team_name"] for entry in json.loads(systems.bundles_file.read_text())}
    known = {row["name"] for row in await run(systems, "SELECT name FROM team")}
    assert late.team in listed
    assert listed <= known


async def test_the_list_is_replaced_only_when_it_says_something_new(systems: Systems) -> None:
    """Whoever watches the file restarts the dag-processor at each change."""
    team = await onboard(systems)
    await systems.airflow_provisioner.apply(team)
    before = systems.bundles_file.stat().st_ino

    await systems.airflow_provisioner.apply(changed(team, airflow={"pools": {"more": 2}}))

    assert systems.bundles_file.stat().st_ino == before


async def test_the_connection_lets_the_team_s_client_in(systems: Systems) -> None:
    team = await onboard(systems)
    await systems.airflow_provisioner.apply(team)

    file = systems.root / "connections" / team.team / "outrider"
    connection = json.loads(file.read_text())
    client = await systems.clients.find(connection["login"])
    assert connection["login"] == team.names.http_client
    assert connection["extra"]["token_url"].endswith("/v1/token")
    assert client is not None
    assert client.proves_itself(connection["password"])
    assert client.team == team.team
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_suspended_team_s_pools_have_no_slot(systems: Systems) -> None:
    team = await onboard(systems, airflow={"pools": {"default": 4}})
    await systems.airflow_provisioner.apply(team)
    slots = "SELECT pool, slots FROM slot_pool WHERE team_name = $1"

    assert [tuple(row) for row in await run(systems, slots, team.team)] == [(f"{team.team}__default", 4)]

    await systems.airflow_provisioner.apply(changed(team, lifecycle="Suspended", airflow={"pools": {"default": 4}}))

    assert [tuple(row) for row in await run(systems, slots, team.team)] == [(f"{team.team}__default", 0)]


async def test_an_airflow_that_was_not_migrated_yet_is_waited_for(systems: Systems) -> None:
    team = await onboard(systems)
    empty = await asyncio.to_thread(systems.postgres.database, "unmigrated")
    elsewhere = Systems(
        systems.kafka, systems.postgres, systems.s3, empty, systems.root, systems.roster, systems.clients
    )

    with pytest.raises(UnavailableError):
        await elsewhere.airflow_provisioner.apply(team)
