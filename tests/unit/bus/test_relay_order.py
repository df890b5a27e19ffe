"""What the relay sends when a row can't be handed over: nothing of its topic goes behind it, all else does."""

import asyncio
from collections.abc import Collection
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError
from outrider_bus.kafka import KafkaAddress
from outrider_bus.records import OutboxRow
from outrider_bus.saying.outbox import Said
from outrider_bus.saying.portions import is_large
from outrider_bus.saying.relay import Relay
from outrider_bus.timing import Timing

NEVER = float("inf")


class Posts(Relay):
    """Hands rows to nobody; *fails* are the numbers of those that a full client does not take."""

    def __init__(self, fails: Collection[int]) -> None:
        super().__init__(cast("Any", None), KafkaAddress("nowhere"), service="s", timing=Timing())
        self.posted: list[int] = []
        self._fails = set(fails)

    async def _post(self, said: Said) -> "asyncio.Future[Any]":
        self.posted.append(said.seq)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if said.seq in self._fails:
            future.set_exception(KafkaTimeoutError())
        else:
            future.set_result(None)
        return future


def said(seq: int, topic: str = "t", key: bytes | None = b"k", **more: Any) -> Said:
    return Said(seq, OutboxRow(topic, str(seq), key, more.get("value", b"{}"), more.get("headers", ())))


@pytest.mark.parametrize("key", [b"k", b"another", None])
async def test_nothing_of_a_topic_is_sent_behind_a_row_that_could_not_be_handed_over(key: bytes | None) -> None:
    """Else a key's rows would change places, and each row of an absent topic be waited for anew."""
    relay = Posts(fails=[2])

    moved = await relay._send(None, [said(1), said(2), said(3, key=key), said(4, topic="other")], NEVER)

    assert relay.posted == [1, 2, 4]
    assert moved == [1, 4]


@pytest.mark.parametrize("more", [{"value": b"x" * 600_000}, {"headers": (("h", b"x" * 600_000),)}])
def test_a_row_is_large_whatever_it_is_that_makes_it_so(more: dict[str, Any]) -> None:
    """Large ones are compressed: so they came in."""
    assert is_large(said(1, **more))
    assert is_large(said(1, key=b"x" * 600_000))
    assert not is_large(said(1))


class Empty:
    """A database in which nothing waits to be carried."""

    async def fetch(self, *_: object) -> list[object]:
        return []

    async def fetchval(self, *_: object) -> bool:
        return False

    async def execute(self, *_: object) -> None:
        """Nothing is deleted."""


async def test_trouble_that_is_over_is_told_no_longer_also_where_nothing_is_left_to_carry() -> None:
    """The database was away at night; what health tells in the morning is not that, and the next outage is logged."""
    relay = Posts(fails=[])
    relay._stopping = True  # one look is enough
    relay.error = "no connection to PostgreSQL"

    await relay._carry(Empty())

    assert not relay.error


async def test_trouble_goes_on_while_what_waits_can_not_be_carried() -> None:
    """Kafka is away: no topic is found, so no row is even tried."""
    relay = Posts(fails=[])
    relay._stopping = True
    relay.error = "no brokers"
    relay._routes.close("t", "no brokers")

    await relay._carry(Empty())

    assert relay.error
