"""How lanes try and wait: an outage is waited out, book-keeping is never given up, everything ends with the shift."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from outrider_bus.counters import Counters
from outrider_bus.database import is_away, is_worth_repeating
from outrider_bus.ports import StaleEpochError, UnavailableError
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
T = TypeVar("T")


class Ended(Exception):
    """The shift is over: leave everything as it is."""


class Patience:
    """Of one shift; `over` ends all its waiting. At most *concurrency* attempts run at once."""

    def __init__(self, counters: Counters, timing: Timing, *, concurrency: int) -> None:
        self.over = asyncio.Event()
        self._counters = counters
        self._timing = timing
        self._room = asyncio.Semaphore(concurrency)

    async def attempt(self, act: Callable[[], Awaitable[None]]) -> Exception | None:
        """One try, however often an outside system makes it start over; gives what went wrong. Raises Ended."""
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            try:
                async with self._room:
                    if self.over.is_set():
                        raise Ended
                    began = time.monotonic()
                    await act()
            except Ended:
                raise
            except StaleEpochError:
                await self.rest(next(waits))
            except Exception as error:  # noqa: BLE001 - whatever a handler raises parks its lane, and only its lane
                if not (isinstance(error, UnavailableError) or is_away(error) or is_worth_repeating(error)):
                    return error
                self._counters.waits(str(error))
                await self.rest(next(waits))
            else:
                self._counters.goes_on()
                self._counters.seconds.add(time.monotonic() - began)
                return None

    async def surely(self, act: Callable[[], Awaitable[T]]) -> T:
        """Book-keeping of our own: it can only wait, it can't be given up. Raises Ended."""
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            try:
                return await act()
            except UnavailableError as error:
                self._counters.waits(str(error))
            except Exception:  # noqa: BLE001 - giving up here would lose the record
                _LOG.exception("book-keeping failed, trying again", group=self._counters.group)
            await self.rest(next(waits))

    async def rest(self, seconds: float) -> None:
        """Let *seconds* pass. Raises Ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)
        if self.over.is_set():
            raise Ended
