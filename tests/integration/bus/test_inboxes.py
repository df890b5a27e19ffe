"""Inboxes are heard by pattern: a new team's soon after it exists."""

import time
from collections.abc import Sequence

from outrider_bus.ports import Heard, Tx
from outrider_bus.timing import Timing
from outrider_contracts import topics
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event

from tests.integration.bus.real_world import RealWorld, eventually
from tests.unit.bus.promises import finished


async def test_a_service_starts_while_there_is_no_team(world: RealWorld) -> None:
    """The first inbox is heard like any other."""
    heard_of: list[str] = []

    async def note(batch: Sequence[Heard[Event]], _: Tx) -> None:
        heard_of.extend(heard.origin.topic for heard in batch)

    topic = f"outrider.team.{world.team}.first"
    world.bus.batches(group=world.group, pattern=f"^{topic}$", types=[RunFinished], handler=note)
    await world.start()
    assert world.buses[0].health().ready

    await world.make_topics({topic: 1})
    await world.deliver_to(topic, finished(world))
    await eventually(lambda: heard_of == [topic])


async def test_a_new_inbox_is_heard_within_five_seconds(world: RealWorld) -> None:
    """With the times of production, and while another inbox goes on."""
    heard_of: dict[str, float] = {}

    async def note(batch: Sequence[Heard[Event]], _: Tx) -> None:
        for heard in batch:
            heard_of[heard.origin.topic] = time.monotonic()

    world.bus.batches(group=world.group, pattern=topics.TEAM_INBOXES, types=[RunFinished], handler=note)
    first = topics.team_inbox(f"{world.team}-a")
    await world.make_topics({first: 1})
    await world.start(Timing())
    await world.deliver_to(first, finished(world))
    await eventually(lambda: first in heard_of)

    took: list[float] = []
    while len(took) < 3 and min(took, default=5) >= 5:  # a pause of the machine makes one slow, not all
        new = topics.team_inbox(f"{world.team}-{len(took)}")
        await world.make_topics({new: 1})
        began = time.monotonic()
        await world.deliver_to(new, finished(world))
        await eventually(lambda topic=new: topic in heard_of)  # type: ignore[misc]
        took.append(heard_of[new] - began)

    assert min(took) < 5
