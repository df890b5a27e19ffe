"""What is fetched ahead comes in order, early, and is let go of when nobody wants it."""

import asyncio

import pytest
from outrider_bus.replay.ahead import ahead


async def test_the_next_is_fetched_while_the_last_is_worked_on() -> None:
    """Whoever waits for something else finds the next one there, and no more than that."""
    fetched: list[int] = []

    async def fetch() -> int | None:
        fetched.append(len(fetched))
        return fetched[-1] if len(fetched) < 4 else None

    async with ahead(fetch, 1) as following:
        first = await following()
        await asyncio.sleep(0)

        assert (first, fetched) == (0, [0, 1])
        assert [await following(), await following(), await following()] == [1, 2, None]


async def test_an_error_is_raised_where_its_turn_comes() -> None:
    """What was fetched before is given before."""
    left = [1]

    async def fetch() -> int | None:
        if not left:
            raise OSError("gone")
        return left.pop()

    async with ahead(fetch, 1) as following:
        assert await following() == 1
        with pytest.raises(OSError, match="gone"):
            await following()


async def test_a_fetch_under_way_is_cancelled_where_nobody_wants_it() -> None:
    """Nothing goes on behind the back of who has left."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def fetch() -> int | None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return None

    async with ahead(fetch, 1):
        await begun.wait()

    assert cancelled.is_set()


async def test_several_may_be_under_way_and_still_come_in_order() -> None:
    """The second is there before the first."""
    begun: list[int] = []
    gates = [asyncio.Event() for _ in range(3)]

    async def fetch() -> int | None:
        begun.append(number := len(begun))
        if number == len(gates):
            return None
        await gates[number].wait()
        return number

    async with ahead(fetch, 2) as following:
        await asyncio.sleep(0)
        assert begun == [0, 1]
        gates[1].set()
        gates[0].set()
        assert [await following(), await following()] == [0, 1]
        gates[2].set()
        assert [await following(), await following(), await following()] == [2, None, None]
