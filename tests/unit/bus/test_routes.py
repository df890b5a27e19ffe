"""Topics that can't be written wait alone."""

import asyncio

from outrider_bus.saying.routes import Routes


class Broker:
    """Knows topics; asking for another one fails."""

    def __init__(self, *topics: str) -> None:
        self.topics = set(topics)
        self.asked: list[str] = []

    async def look_up(self, topic: str) -> None:
        self.asked.append(topic)
        await asyncio.sleep(0)
        if topic not in self.topics:
            raise LookupError(topic)


async def opened_after(routes: Routes, topic: str, bell: asyncio.Event) -> bool:
    """Ask for *topic* until it is open."""
    async with asyncio.timeout(5):
        while not routes.is_open(topic):
            bell.clear()
            await bell.wait()
    return True


async def test_a_topic_is_looked_up_once_and_then_open() -> None:
    broker, bell = Broker("a"), asyncio.Event()
    routes = Routes(broker.look_up, cap=1, opened=bell.set)

    assert not routes.is_open("a")
    assert routes.closed == ["a"]
    assert await opened_after(routes, "a", bell)
    assert routes.is_open("a")
    assert (broker.asked, routes.closed) == (["a"], [])


async def test_an_absent_topic_is_left_out_and_asked_for_again_later() -> None:
    broker, bell = Broker("a"), asyncio.Event()
    routes = Routes(broker.look_up, cap=0.05, opened=bell.set)
    assert not routes.is_open("absent")
    assert await opened_after(routes, "a", bell)

    assert routes.closed == ["absent"]
    broker.topics.add("absent")
    async with asyncio.timeout(5):
        while not routes.is_open("absent"):  # noqa: ASYNC110 - it is the passing of time that is waited for
            await asyncio.sleep(0)


async def test_a_topic_that_refuses_a_record_is_closed_again() -> None:
    broker, bell = Broker("a"), asyncio.Event()
    routes = Routes(broker.look_up, cap=1, opened=bell.set)
    assert await opened_after(routes, "a", bell)

    routes.close("a", "forbidden")

    assert routes.closed == ["a"]
    await routes.stop()
