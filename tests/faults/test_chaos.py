"""Everything at once, drawn from a seed: members, Kafka and PostgreSQL die, freeze, leave and are slow under load."""

import asyncio
import os
from contextlib import AsyncExitStack, suppress

from outrider_local.component import Component
from outrider_local.runner import bring_up
from outrider_local.stack import Stack

from tests.faults.conftest import NEEDED
from tests.faults.disturber import StackProcess, Target, disturb
from tests.faults.members import Member, Members, members
from tests.faults.schedule import SYSTEMS, schedule
from tests.faults.world import FaultWorld

SECONDS = float(os.environ.get("OUTRIDER_FAULT_SECONDS", "25"))
_FACTS_PER_SECOND = 60
_TELLING_SECONDS = 0.5


class Slot:
    """A place in a group that one member at a time fills."""

    def __init__(self, team: Members) -> None:
        self._team = team
        self._member: Member = team.begin()

    def send(self, sign: int) -> None:
        self._member.send(sign)

    @property
    def lives(self) -> bool:
        return self._member.lives

    async def come_back(self) -> None:
        with suppress(TimeoutError):  # one that leaves while Kafka is away may take its time; it goes in the end
            await self._member.end(0, seconds=10)
        await self._member.end()
        self._member = self._team.begin()


def component(name: str) -> Component:
    """A part of the stack by its name."""
    return next(one for one in NEEDED if one.name == name)


async def test_nothing_is_lost_repeated_or_reordered_whatever_happens(own_stack: Stack, seed: str) -> None:
    """Both runners with two members each, some poison, some facts said twice."""
    async with AsyncExitStack() as opened:
        worlds = [
            await opened.enter_async_context(FaultWorld.on(own_stack, how, seed=f"{seed} {how}"))
            for how in ("lanes", "batches")
        ]
        targets: dict[str, Target] = {name: StackProcess(own_stack, component(name)) for name in SYSTEMS}
        for world in worlds:
            team = await opened.enter_async_context(members(world.orders))
            targets |= {f"{world.how} {number}": Slot(team) for number in (1, 2)}
        plan = schedule(seed, SECONDS, [name for name in targets if name not in SYSTEMS])
        telling = [asyncio.create_task(_tell(world)) for world in worlds]
        await disturb(plan, targets)
        outcome = await asyncio.to_thread(bring_up, own_stack, NEEDED)
        assert not outcome.failed
        await asyncio.gather(*telling)
        assert all(target.lives for target in targets.values() if isinstance(target, Slot)), "a member ended by itself"
        for world in worlds:
            await world.settle()
        for world in worlds:
            await world.assert_undisturbed()


async def _tell(world: FaultWorld) -> None:
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - began < SECONDS:
        await world.tell(int(_FACTS_PER_SECOND * _TELLING_SECONDS))
        await asyncio.sleep(_TELLING_SECONDS)


def test_a_seed_gives_the_same_schedule_again() -> None:
    assert schedule("7", 600, ["a", "b"]) == schedule("7", 600, ["a", "b"]) != schedule("8", 600, ["a", "b"])
    assert {(d.act, d.target) for d in schedule("7", 600, ["a"])} >= {
        *((act, "a") for act in ("kill", "freeze", "leave")),
        *((act, system) for act in ("kill", "freeze", "leave", "slow") for system in SYSTEMS),
    }
