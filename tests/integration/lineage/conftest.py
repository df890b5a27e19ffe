"""A database with the service's tables."""

from collections.abc import AsyncIterator

import pytest
from lineage.app import MIGRATIONS
from outrider_bus import MIGRATIONS as BUS_MIGRATIONS
from outrider_chassis.database import Pool, open_pool
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_local.handles import Database, RunningPostgres


async def _empty(pool: Pool) -> None:
    tables = await pool.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname IN ('lineage', 'bus', 'chassis')"
    )
    await pool.execute(f"TRUNCATE {', '.join(row['name'] for row in tables)}")


@pytest.fixture(scope="session")
def lineage_database(postgres: RunningPostgres) -> Database:
    """One database for all tests here."""
    return postgres.database("lineage")


@pytest.fixture(scope="session")
async def migrated(lineage_database: Database) -> AsyncIterator[Pool]:
    """Its pool, with the tables of bus, chassis and lineage."""
    pool = await open_pool(lineage_database.url, lineage_database.password_file, size=5)
    await migrate(pool, [("bus", BUS_MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS), ("lineage", MIGRATIONS)])
    yield pool
    await pool.close()


@pytest.fixture
async def pool(migrated: Pool) -> Pool:
    """The same, the tables emptied."""
    await _empty(migrated)
    return migrated
