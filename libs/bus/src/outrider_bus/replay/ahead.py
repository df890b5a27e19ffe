"""Steps ahead: what comes next is fetched while what is there is worked on."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def ahead(
    fetch: Callable[[], Coroutine[Any, Any, T | None]], steps: int
) -> AsyncIterator[Callable[[], Awaitable[T | None]]]:
    """A function that gives what *fetch* gives, in the order of the calls, and keeps *steps* calls under way
    meanwhile. None is the end, also for calls behind it.

    What *fetch* raises is raised where its turn comes. Left early, fetches under way are cancelled.
    """
    tasks = deque(asyncio.create_task(fetch()) for _ in range(steps))

    async def following() -> T | None:
        fetched = await tasks[0]
        if fetched is not None:
            tasks.popleft()
            tasks.append(asyncio.create_task(fetch()))
        return fetched

    try:
        yield following
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
