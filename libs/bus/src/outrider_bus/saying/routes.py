"""Which topics the relay can write to. A topic that is absent or forbidden waits alone; the others flow."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import structlog

from outrider_bus.timing import backoff

_LOG = structlog.get_logger()


class Routes:
    """Topics are looked up before their first row is sent, beside the sending: a missing one costs others nothing."""

    def __init__(self, look_up: Callable[[str], Awaitable[None]], *, cap: float, opened: Callable[[], None]) -> None:
        self._look_up = look_up
        self._cap = cap
        self._opened = opened
        self._open: set[str] = set()
        self._closed: dict[str, tuple[float, Iterator[float]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def closed(self) -> list[str]:
        """Topics to leave out now."""
        now = time.monotonic()
        return [t for t, (until, _) in self._closed.items() if until > now or t in self._tasks]

    def is_open(self, topic: str) -> bool:
        """Whether rows may go there; if that is not known, it is found out meanwhile."""
        if topic in self._open:
            return True
        if topic not in self._tasks:
            self._closed.setdefault(topic, (0.0, backoff(1.0, self._cap)))
            self._tasks[topic] = asyncio.create_task(self._find_out(topic))
        return False

    def close(self, topic: str, why: str) -> None:
        """A send was refused, or the look-up failed."""
        self._open.discard(topic)
        _, waits = self._closed.get(topic) or (0.0, backoff(1.0, self._cap))
        self._closed[topic] = (time.monotonic() + next(waits), waits)
        _LOG.info("topic can't be written now, its rows wait", topic=topic, error=why)

    def forget(self) -> None:
        """Look every topic up again: what is wrong may be that one is gone."""
        self._open.clear()

    async def _find_out(self, topic: str) -> None:
        try:
            await self._look_up(topic)
        except Exception as error:  # noqa: BLE001 - absent, forbidden or Kafka away: the rows wait in any case
            self.close(topic, repr(error))
        else:
            self._open.add(topic)
            self._closed.pop(topic, None)
            self._opened()
        finally:
            self._tasks.pop(topic, None)

    async def stop(self) -> None:
        """Ask no more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
