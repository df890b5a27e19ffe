"""PostgreSQL and Kafka go away in the middle: the bus waits, and afterwards nothing is missing or there twice."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from outrider_bus.kafka import KafkaAddress
from outrider_local.components import all_components
from outrider_local.handles import RunningKafka, RunningPostgres
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

from tests.integration.bus.real_world import RealWorld
from tests.integration.bus.test_members_die import assert_undisturbed, reached, tell
from tests.integration.bus.workload import TABLE, declare, facts

HOW = pytest.mark.parametrize("how", ["lanes", "batches"])
_NEEDED = with_needs(["postgres", "topics"], all_components())


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """Kafka and PostgreSQL of this module's own: what is killed here must not be missed elsewhere."""
    home = Path(tempfile.mkdtemp(prefix="outrider-outage-"))
    home.chmod(0o755)
    stack = Stack.open(home)
    assert not bring_up(stack, _NEEDED).failed
    yield stack
    remove(stack, all_components())
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def world(own_stack: Stack) -> AsyncIterator[RealWorld]:
    kafka, postgres = RunningKafka(own_stack), RunningPostgres(own_stack)
    database = await asyncio.to_thread(postgres.database, "outage")
    address = KafkaAddress(kafka.bootstrap, "admin", kafka.password_file("admin").read_text())
    world = await RealWorld.open(address, database.dsn)
    yield world
    await world.close()


async def come_back(stack: Stack) -> None:
    """Start again what died."""
    outcome = await asyncio.to_thread(bring_up, stack, _NEEDED)
    assert not outcome.failed


@HOW
async def test_postgresql_is_killed_and_comes_back(world: RealWorld, own_stack: Stack, how: str) -> None:
    await world.pool.execute(TABLE)
    declare(world.bus, how, group=world.group, topic=world.topic)
    await world.start()
    told = facts(world.team, 2000)
    telling = asyncio.create_task(tell(world, told, seconds=2))
    await reached(world, 200)
    os.kill(own_stack.state.now.processes["postgres"].pid, signal.SIGKILL)
    await telling
    await come_back(own_stack)
    await world.settle(seconds=60)

    await assert_undisturbed(world, told)


@HOW
async def test_kafka_is_killed_and_comes_back(world: RealWorld, own_stack: Stack, how: str) -> None:
    await world.pool.execute(TABLE)
    declare(world.bus, how, group=world.group, topic=world.topic)
    await world.start()
    told = facts(world.team, 2000)
    await tell(world, told, seconds=1)
    await reached(world, 100)
    os.kill(own_stack.state.now.processes["kafka"].pid, signal.SIGKILL)
    await come_back(own_stack)
    await world.settle(seconds=90)

    await assert_undisturbed(world, told)
