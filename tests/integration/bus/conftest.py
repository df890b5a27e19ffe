"""A world per test on the run's Kafka and PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
from outrider_bus.kafka import KafkaAddress
from outrider_local.handles import Database, RunningKafka

from tests.integration.bus.real_world import RealWorld


@pytest.fixture(scope="session")
def address(shared_topics: RunningKafka) -> KafkaAddress:
    """Kafka as its administrator."""
    password = shared_topics.password_file("admin").read_text()
    return KafkaAddress(shared_topics.bootstrap, "admin", password)


@pytest.fixture
async def world(address: KafkaAddress, database: Database) -> AsyncIterator[RealWorld]:
    world = await RealWorld.open(address, database.dsn)
    yield world
    await world.close()
