"""What storage does by itself, again and again: each pass is a use case, and each is safe to repeat or interrupt."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from outrider_bus.ports import UnavailableError

from storage.cases.clear import doom_due, remove_doomed
from storage.cases.tidy import announce_late, drop_phantoms, drop_unused, plan_forgotten, seal_ended
from storage.cases.work import Work

_log = structlog.stdlib.get_logger(__name__)


async def keep_tidy(work: Work, interval_seconds: float) -> None:
    """Announce late, seal what ended, drop what nobody came for; the pass that is cut short comes again."""
    await _again(interval_seconds, work, announce_late, seal_ended, drop_unused, drop_phantoms, plan_forgotten)


async def keep_clearing(work: Work, interval_seconds: float) -> None:
    """Doom what is due, delete what was doomed long enough."""
    await _again(interval_seconds, work, doom_due, remove_doomed)


async def _again(seconds: float, work: Work, *passes: Callable[[Work], Awaitable[object]]) -> None:
    while True:
        for one in passes:
            try:
                await one(work)
            except UnavailableError as error:
                _log.warning("pass put off", work=one.__name__, error=str(error))
        await asyncio.sleep(seconds)
