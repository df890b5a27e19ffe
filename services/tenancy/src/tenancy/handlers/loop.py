"""The work follows the table: whatever is due is looked at, a few teams at a time, at once after it was stored."""

import asyncio
from datetime import UTC, datetime

from tenancy.handlers.reconcile import Reconciler
from tenancy.ports import Registry

_AT_ONCE = 4
_IDLE_SECONDS = 1.0


async def work(registry: Registry, reconciler: Reconciler) -> None:
    """Run until cancelled. A team in flight is not started again; another replica's teams are left to it."""
    in_flight: dict[str, asyncio.Task[None]] = {}
    waking: asyncio.Task[None] | None = None
    await reconciler.begin()
    try:
        while True:
            for team in await registry.due(datetime.now(UTC)):
                if team not in in_flight and len(in_flight) < _AT_ONCE:
                    in_flight[team] = asyncio.create_task(reconciler.look_at(team))
            waking = asyncio.create_task(registry.wait(_IDLE_SECONDS))
            await asyncio.wait({waking, *in_flight.values()}, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            for team in [team for team, task in in_flight.items() if task.done()]:
                in_flight.pop(team).result()
    finally:
        left = [task for task in (waking, *in_flight.values()) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
