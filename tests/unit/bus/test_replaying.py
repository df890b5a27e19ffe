"""What a replay notices before it reads."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
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
