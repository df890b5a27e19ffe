"""The database's clock jumps: a record that waits for its next try waits no longer than it was told to."""

import asyncio

import pytest
from outrider_local.stack import Stack

from tests.faults.members import members
from tests.faults.world import FaultWorld

_JUMP = "UPDATE bus.parked SET next_try_at = next_try_at + $1::text::interval WHERE attempts > 0"
_JUMPS, _PORTION, _PAUSE_SECONDS = 15, 25, 0.2


@pytest.mark.parametrize("moved", ["3 hours", "-3 hours"], ids=["set back", "set forward"])
async def test_the_clock_jumps_while_lanes_are_parked(own_stack: Stack, seed: str, moved: str) -> None:
    """Times that lie ahead by three hours are what a clock leaves that is set back by three hours."""
    async with FaultWorld.on(own_stack, "lanes", seed=seed) as world, members(world.orders) as team:
        await team.start()
        jumped = jumps = 0
        while jumps < _JUMPS or (not jumped and jumps < 10 * _JUMPS):  # a slow worker has parked nothing yet
            jumps += 1
            await world.tell(_PORTION)
            await asyncio.sleep(_PAUSE_SECONDS)
            jumped += int((await world.pool.execute(_JUMP, moved)).split()[-1])
        await world.settle()
        await world.assert_undisturbed()

    assert jumped, "no lane was parked when the clock jumped"
