"""Members of a group are killed, frozen, join and leave under load: nothing is lost, repeated or out of order."""

import asyncio
import random
import signal

import pytest
from outrider_contracts.airflow import RunFinished

from tests.integration.bus.hearers import hearers
from tests.integration.bus.real_world import RealWorld, eventually
from tests.integration.bus.workload import TABLE, answers_in, answers_undisturbed, chains, declare, facts

HOW = pytest.mark.parametrize("how", ["lanes", "batches"])


async def chains_of(world: RealWorld) -> dict[str, tuple[int, str]]:
    rows = await world.pool.fetch("SELECT key, links, hash FROM chain")
    return {row["key"]: (row["links"], row["hash"]) for row in rows}


async def assert_undisturbed(world: RealWorld, told: list[RunFinished]) -> None:
    """The tables and the set of what was said are those of a run that nothing happened to."""
    assert await chains_of(world) == chains(told)
    assert answers_in(await world.answers()) == await answers_undisturbed(told)
    assert await world.dead_letters() == []
    assert await world.pool.fetchval("SELECT count(*) FROM bus.parked") == 0


async def tell(world: RealWorld, told: list[RunFinished], *, seconds: float) -> None:
    """Deliver a portion at a time, over about *seconds*."""
    for start in range(0, len(told), 50):
        await world.deliver(*told[start : start + 50])
        await asyncio.sleep(seconds * 50 / len(told))


async def reached(world: RealWorld, links: int) -> None:
    """Wait until so many facts were worked off."""

    async def enough() -> bool:
        return int(await world.pool.fetchval("SELECT coalesce(sum(links), 0) FROM chain")) >= links

    await eventually(enough)


@HOW
async def test_members_are_killed_under_load(world: RealWorld, how: str) -> None:
    await world.pool.execute(TABLE)
    told = facts(world.team, 3000)
    async with hearers(world, how) as members:
        victim, other = await asyncio.gather(members.start(), members.start())
        telling = asyncio.create_task(tell(world, told, seconds=4))
        for portion in (200, 1200):
            await reached(world, portion)
            await members.kill(victim)
            victim, other = other, await members.start()
        await telling
        await world.settle(seconds=60)

        await assert_undisturbed(world, told)


@HOW
async def test_a_frozen_member_that_wakes_after_its_partitions_were_given_away_spoils_nothing(
    world: RealWorld, how: str
) -> None:
    await world.pool.execute(TABLE)
    told = facts(world.team, 2000)
    async with hearers(world, how) as members:
        zombie, _ = await asyncio.gather(members.start(), members.start())
        telling = asyncio.create_task(tell(world, told, seconds=3))
        await reached(world, 300)
        zombie.send_signal(signal.SIGSTOP)
        await telling
        await world.settle(seconds=60)
        zombie.send_signal(signal.SIGCONT)
        more = facts(world.team, 2400)[2000:]
        await world.deliver(*more)
        await world.settle(seconds=60)

        await assert_undisturbed(world, told + more)


@HOW
async def test_members_join_and_leave_under_load(world: RealWorld, how: str) -> None:
    await world.pool.execute(TABLE)
    declare(world.bus, how, group=world.group, topic=world.topic)
    told = facts(world.team, 4000)
    await world.start()
    telling = asyncio.create_task(tell(world, told, seconds=4))
    for _ in range(3):
        await asyncio.sleep(random.uniform(0.2, 0.5))
        await world.start()
        await asyncio.sleep(random.uniform(0.2, 0.5))
        await world.stop()
    await telling
    await world.settle(seconds=60)

    await assert_undisturbed(world, told)
