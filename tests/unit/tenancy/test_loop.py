"""The work follows the table: at once, one flight per team, a few teams at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tenancy.adapters.memory import MemoryProvisioner
from tenancy.domain.teams import Wanted
from tenancy.handlers.loop import work
from tenancy.ports import Applied

from tests.unit.tenancy.teams import desired
from tests.unit.tenancy.world import World


@dataclass
class SlowProvisioner(MemoryProvisioner):
    """Holds every team until it is let go, and counts who is in at once."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    inside: list[str] = field(default_factory=list)
    most: int = 0

    async def apply(self, wanted: Wanted) -> Applied:
        assert wanted.team not in self.inside, "two flights of one team"
        self.inside.append(wanted.team)
        self.most = max(self.most, len(self.inside))
        await self.go.wait()
        self.inside.remove(wanted.team)
        return await super().apply(wanted)


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(work(world.registry, world.reconciler))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop go on until *holds*."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what is waited for is plain state, without an event of its own
            await asyncio.sleep(0)


def is_ready(world: World, *teams: str) -> bool:
    return all(world.registry.statuses(team) and world.status(team).phase == "Ready" for team in teams)


async def test_a_provisioner_that_was_added_sees_the_teams_that_are_there_at_once() -> None:
    """Not when their time comes for a full look: a cluster, say, that was added to a platform at work."""
    before = World()
    async with working(before):
        await before.hear(desired("ads"))
        await until(lambda: is_ready(before, "ads") and before.registry.rows["ads"].due_at > datetime.now(UTC))
    after = World(provisioners=(*before.provisioners, added := MemoryProvisioner("kubernetes")))
    after.registry.rows = before.registry.rows

    async with working(after):
        await until(lambda: is_ready(after, "ads"))

    assert added.applied == ["ads"]
    assert before.provisioners[0].applied == ["ads"]


async def test_what_is_stored_is_worked_on_at_once() -> None:
    world = World()
    async with working(world):
        await world.hear(desired("ads"))
        await until(lambda: is_ready(world, "ads"))


async def test_a_slow_team_holds_up_no_other_and_is_not_started_twice() -> None:
    slow = SlowProvisioner("slow")
    world = World((slow,))
    teams = [f"team{n}" for n in range(6)]
    async with working(world):
        await world.hear(*(desired(team) for team in teams))
        await until(lambda: len(slow.inside) == 4)
        await world.hear(desired("team0", 2, displayName="changed meanwhile"))
        slow.go.set()
        await until(lambda: is_ready(world, *teams) and world.registry.rows["team0"].applied["slow"] == 2)

    assert slow.most == 4
