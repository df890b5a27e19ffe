"""A team's schema, tried on the real PostgreSQL with the team's own login."""

import asyncio

import asyncpg
import pytest
from tenancy.domain.teams import Wanted
from tenancy.ports import ProvisioningFailed

from tests.integration.tenancy.systems import Systems, changed, new_team


@pytest.fixture(scope="module")
async def pair(systems: Systems) -> tuple[Wanted, Wanted]:
    one, other = new_team(), new_team()
    for team in (one, other):
        await systems.postgres_provisioner.apply(team)
    return one, other


async def test_a_team_makes_tables_in_its_schema_and_its_owner_role_owns_them(
    systems: Systems, pair: tuple[Wanted, Wanted]
) -> None:
    one, _ = pair
    connection = await systems.postgres_of(one)

    await connection.execute("CREATE TABLE facts (n int); INSERT INTO facts VALUES (1); CREATE TEMP TABLE t (n int)")

    sql = "SELECT schemaname::text, tableowner::text FROM pg_tables WHERE tablename = 'facts' AND schemaname = $1"
    assert tuple(await connection.fetchrow(sql, one.names.postgres_schema) or ()) == (
        one.names.postgres_schema, one.names.postgres_owner,
    )  # fmt: skip
    await connection.close()


async def test_a_team_is_denied_the_schema_of_another_and_every_other_database(
    systems: Systems, pair: tuple[Wanted, Wanted]
) -> None:
    one, other = pair
    connection = await systems.postgres_of(one)
    schema = other.names.postgres_schema

    for sql in (
        f"CREATE TABLE {schema}.planted (n int)",
        f"SET ROLE {other.names.postgres_owner}",
        "CREATE ROLE more",
        "CREATE TABLE public.planted (n int)",
        f"GRANT {other.names.postgres_owner} TO {one.names.postgres_login}",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)
    await connection.close()
    secret = await systems.secret(one, "postgres")
    for database in ("tenancy", "airflow", "storage", "lineage"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
            await asyncpg.connect(
                host=secret["host"], port=int(secret["port"]), database=database, user=secret["user"],
                password=secret["password"],
            )  # fmt: skip


CUT_OFF = (
    asyncpg.AdminShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last word came while nobody was asking
)


async def test_suspending_ends_the_sessions_that_are_open_and_lets_no_new_one_in(systems: Systems) -> None:
    team = new_team()
    await systems.postgres_provisioner.apply(team)
    connection = await systems.postgres_of(team)

    await systems.postgres_provisioner.apply(changed(team, lifecycle="Suspended"))

    with pytest.raises(CUT_OFF):
        await connection.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted to log in"):
        await systems.postgres_of(team)

    await systems.postgres_provisioner.apply(team)

    await (await systems.postgres_of(team)).close()


async def test_a_team_gets_no_more_connections_than_its_limit(systems: Systems) -> None:
    team = new_team(postgres={"connectionLimit": 2})
    await systems.postgres_provisioner.apply(team)
    held = [await systems.postgres_of(team) for _ in range(2)]

    with pytest.raises(asyncpg.TooManyConnectionsError):
        await systems.postgres_of(team)
    for connection in held:
        await connection.close()


async def test_many_teams_at_once_do_not_trip_over_each_other(systems: Systems) -> None:
    """PostgreSQL fails concurrent GRANTs on one database with "tuple concurrently updated"."""
    teams = [new_team() for _ in range(12)]

    await asyncio.gather(*(systems.postgres_provisioner.apply(team) for team in teams))

    assert not any(await asyncio.gather(*(systems.postgres_provisioner.plan(team) for team in teams)))


async def test_a_role_of_the_same_name_made_by_somebody_else_is_not_taken_over(systems: Systems) -> None:
    team = new_team()
    admin = await asyncpg.connect(
        systems.postgres.url("postgres"), password=systems.postgres.password_file("postgres").read_text()
    )
    await admin.execute(f"CREATE ROLE {team.names.postgres_login} LOGIN")
    await admin.close()

    with pytest.raises(ProvisioningFailed, match="was not made for this team"):
        await systems.postgres_provisioner.apply(team)
