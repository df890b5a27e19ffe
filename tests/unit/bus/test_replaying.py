"""What a replay notices before it reads, and how it waits."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from outrider_bus.handling import again
from outrider_bus.ports import UnavailableError
from outrider_bus.replay import replaying as replaying_module
from outrider_bus.replay.replaying import Replaying
from outrider_bus.timing import Timing
from outrider_contracts.replays import ReplayCounts


class Reader:
    """A log of which offsets 40 to 99 are kept."""

    async def bounds(self, partitions: Any) -> dict[int, tuple[int, int]]:
        return dict.fromkeys(partitions, (40, 100))


def replaying(cursor: int, end: int) -> Replaying:
    part = SimpleNamespace(partition=0, start=0, cursor=cursor, end=end)
    job = SimpleNamespace(id="r", mode="missing", topic="t", rate=None, counts=ReplayCounts(), partitions=[part])
    group = SimpleNamespace(name="g")
    claimed = SimpleNamespace(job=job)
    return Replaying(cast("Any", claimed), cast("Any", group), cast("Any", None), Timing(), cast("Any", None))


@pytest.mark.parametrize(("cursor", "end", "gone"), [(0, 90, 40), (45, 90, 0), (10, 30, 20)])
async def test_what_expired_before_it_was_read_is_counted_once(cursor: int, end: int, gone: int) -> None:
    """However often Kafka goes away meanwhile: reading goes on behind it."""
    replay = replaying(cursor, end)

    for _ in range(2):
        await replay._check_kept(cast("Any", Reader()), {0: end})

    assert (replay._gone, replay._cursors[0]) == (gone, cursor + gone)


async def test_a_topic_that_was_made_anew_is_not_taken_for_the_one_of_the_plan() -> None:
    with pytest.raises(RuntimeError, match="made anew"):
        await replaying(0, 200)._check_kept(cast("Any", Reader()), {0: 200})


class Saving(Replaying):
    """Keeps notes of what is saved; the database is away for *away* tries."""

    def __init__(self, *, away: int = 0) -> None:
        quick = Timing(outage_first=0.0001, outage_cap=0.0001)
        job = SimpleNamespace(id="r", mode="missing", topic="t", rate=None, counts=ReplayCounts(), partitions=[])
        group, claimed = SimpleNamespace(name="g"), SimpleNamespace(job=job)
        super().__init__(cast("Any", claimed), cast("Any", group), cast("Any", None), quick, asyncio.Event())
        self.notes: list[str] = []
        self.away = away

    async def _save(self, *, note: str = "", **_: object) -> None:
        await self.ask()
        self.notes.append(note)

    async def ask(self) -> None:
        if self.away:
            self.away -= 1
            raise UnavailableError("PostgreSQL is away")


async def test_a_replay_waits_for_a_database_however_long_it_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait keeps the lease where that can be; where it can't, nothing more is waited for in that wait."""
    monkeypatch.setattr(replaying_module, "_SAVE_SECONDS", 0.0)
    replay = Saving(away=3000)

    await asyncio.wait_for(replay._surely(replay.ask), 30)

    assert replay.away == 0


async def test_what_a_replay_waits_for_is_told_as_long_as_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying_module, "_SAVE_SECONDS", 0.0)
    replay, tries = Saving(), 0

    async def store() -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise UnavailableError("S3 is away")

    await asyncio.wait_for(replay._surely(store), 30)

    assert set(replay.notes) == {"waits: S3 is away"}
    assert len(replay.notes) > 3


async def test_a_replay_keeps_its_lease_while_records_are_handled_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another instance would take it up, handle the same records at the same time, and be taken it from likewise."""
    monkeypatch.setattr(replaying_module, "_SAVE_SECONDS", 0.001)
    replay: Any = Saving()
    replay._sieve = SimpleNamespace(types=())

    class Slow:
        def __init__(self, *_: object) -> None:
            """Stands for an attempt whose handlers take their time."""

        async def all(self, records: Sequence[str]) -> list[str]:
            while len(replay.notes) < 3:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
            return ["done" for _ in records]

    monkeypatch.setattr(again, "Attempt", Slow)

    handled = await asyncio.wait_for(replay._handle(["a", "b"]), 5)

    assert list(handled) == [("a", "done"), ("b", "done")]
