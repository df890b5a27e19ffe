"""The systems a team is provisioned in."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from outrider_local.handles import RunningKafka, RunningPostgres, RunningS3

from tests.integration.tenancy.systems import TABLES, Systems


@pytest.fixture(scope="module")
async def systems(
    shared_topics: RunningKafka, postgres: RunningPostgres, s3: RunningS3, tmp_path_factory: pytest.TempPathFactory
) -> Systems:
    """Real Kafka, PostgreSQL and S3, and Airflow's tables in a database of their own."""
    airflow = await asyncio.to_thread(postgres.database, "airflow")
    connection = await asyncpg.connect(airflow.dsn)
    await connection.execute(TABLES.read_text())
    await connection.close()
    root: Path = tmp_path_factory.mktemp("tenancy")
    return Systems(shared_topics, postgres, s3, airflow, root)
