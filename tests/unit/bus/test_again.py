"""Handling a record again where its handler is cancelled from within: the record's outcome, and nobody's end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from outrider_bus.handling.again import Attempt, Outcome
from outrider_bus.records import RawRecord

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Fact:
    """What was said."""


class Database:
    """Knows no record."""

    @asynccontextmanager
    async def begin(self, *_: object) -> AsyncIterator[SimpleNamespace]:
        async def fetch(_query: str, _scope: str, _topics: list[str], ids: list[str]) -> list[str]:
            return ids

        yield SimpleNamespace(connection=SimpleNamespace(fetch=fetch))

    async def fetch(self, _query: str, _scope: str, _topic: str, ids: list[str]) -> list[dict[str, str]]:
        return [{"event_id": id_} for id_ in ids]


async def awaits_what_is_cancelled(*_: object) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def once(act: Callable[[], Awaitable[Any]]) -> Any:
    return await act()


async def waits_for_ever(*_: object) -> None:
    await asyncio.Event().wait()


def attempt(kind: str, handler: Callable[..., Awaitable[None]]) -> Attempt:
    group = SimpleNamespace(
        decoder=lambda record: (SimpleNamespace(id=str(record.offset)), Fact()), types={Fact}, never_again={},
        batch_handler=handler if kind == "batches" else None, lane_handlers={Fact: handler}, lane=lambda _: "lane",
        at_once=4,
    )  # fmt: skip
    return Attempt(cast("Any", group), cast("Any", Database()), "g", cast("Any", {Fact}), once)


@pytest.mark.parametrize("kind", ["lanes", "batches"])
async def test_a_cancellation_out_of_a_handler_is_its_records_failure(kind: str) -> None:
    """It would end what works replays off, for good and without a word."""
    records = [RawRecord("t", 0, offset, AT, None, b"{}") for offset in range(2)]

    outcomes = await attempt(kind, awaits_what_is_cancelled).all(records)

    assert outcomes == [Outcome("failed", "RuntimeError: cancelled from within: CancelledError()")] * 2


async def raises_what_no_table_takes(*_: object) -> None:
    raise ValueError("\0 \ud800")


@pytest.mark.parametrize("kind", ["lanes", "batches"])
async def test_what_a_handler_raises_is_told_as_a_table_takes_it(kind: str) -> None:
    """It may quote what came from outside; a replay that can't keep it would fail as a whole."""
    [outcome] = await attempt(kind, raises_what_no_table_takes).all([RawRecord("t", 0, 1, AT, None, b"{}")])

    assert outcome == Outcome("failed", "ValueError: \\0 ?")


async def test_a_cancellation_of_ours_ends_the_attempt() -> None:
    waiting = attempt("lanes", waits_for_ever)
    task = asyncio.create_task(waiting.all([RawRecord("t", 0, 1, AT, None, b"{}")]))
    for _ in range(5):
        await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
