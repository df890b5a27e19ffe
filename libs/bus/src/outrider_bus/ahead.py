"""One step ahead: what comes next is fetched while what is there is worked on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def one_ahead(
    fetch: Callable[[], Coroutine[Any, Any, T | None]],
) -> AsyncIterator[Callable[[], Awaitable[T | None]]]:
    """A function that gives what *fetch* gives, in order, and has the next fetched meanwhile. None is the end.

    What *fetch* raises is raised where its turn comes. Left early, a fetch under way is cancelled.
    """
    task = asyncio.create_task(fetch())

    async def following() -> T | None:
        nonlocal task
        fetched = await task
        if fetched is not None:
            task = asyncio.create_task(fetch())
        return fetched

    try:
        yield following
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
