"""Readiness: partitions assigned and the low watermark moving. Lag: what is said and not yet worked off."""

import asyncio
from dataclasses import replace

from outrider_bus.ports import Heard, Tx
from outrider_contracts.event import Event

from tests.integration.bus.real_world import QUICK, RealWorld, eventually
from tests.unit.bus.promises import HOW, finished, hear


@HOW
async def test_a_group_that_gets_no_further_is_not_ready_and_tells_its_lag(world: RealWorld, how: str) -> None:
    go_on = asyncio.Event()

    async def stand_still(_: Heard[Event], __: Tx) -> None:
        await go_on.wait()

    hear(world, how, stand_still)
    await world.start(replace(QUICK, stalled=0.3))
    bus = world.buses[0]
    assert bus.health().ready

    await world.deliver(*(finished(world, "r", n) for n in range(7)))
    await eventually(lambda: not bus.health().ready)
    standing = bus.health()
    subscription = bus.groups[world.group].subscription
    # the first may have been read long before the last was there
    await eventually(lambda: sum(lag.records for lag in subscription.lag().values()) == 7)
    lags = [lag for lag in subscription.lag().values() if lag.records]
    go_on.set()
    await world.settle()

    assert standing.alive
    assert [lag.records for lag in lags] == [7]
    assert lags[0].oldest is not None
    assert bus.health().ready
    assert {(lag.records, lag.oldest) for lag in subscription.lag().values()} == {(0, None)}


async def test_a_sick_lane_leaves_its_group_ready(world: RealWorld) -> None:
    """The watermark moves on over what is parked: there is nothing left in hand that could age."""

    async def fail(_: Heard[Event], __: Tx) -> None:
        raise RuntimeError("a bug")

    hear(world, "lanes", fail)
    await world.start(replace(QUICK, retry_delays=(60, 60, 60, 60)))
    group = world.buses[0].groups[world.group]

    await world.deliver(finished(world))
    await eventually(lambda: group.counters.parked_lanes == 1)
    await world.settle()

    assert group.subscription.assignment.watermark_age == 0
    assert world.buses[0].health().ready
