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
