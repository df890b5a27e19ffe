"""Facts may come in any order, twice, or be replayed: the tables say the same in the end."""

import random
from datetime import timedelta

import pytest
from outrider_contracts.event import Event

from tests.integration.storage.platform import (
    EXTRACT,
    MIDNIGHT,
    REPORT,
    Platform,
    graph,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
    task_started,
)

AGAIN = MIDNIGHT + timedelta(minutes=25)
END = MIDNIGHT + timedelta(minutes=20)
FACTS: tuple[Event, ...] = (
    graph(run(), EXTRACT, REPORT),
    run_started(run()),
    task_started(task("extract").attempt(1), EXTRACT),
    task_finished(task("extract").attempt(1), "up_for_retry", MIDNIGHT + timedelta(minutes=5)),
    task_started(task("extract").attempt(2), EXTRACT),
    task_finished(task("extract").attempt(2), "failed", MIDNIGHT + timedelta(minutes=10)),
    task_finished(task("report").attempt(0), "upstream_failed", MIDNIGHT + timedelta(minutes=11)),
    run_finished(run(), END),
    run_started(run(), AGAIN, clear_number=1),
    task_started(task("extract").attempt(3), EXTRACT, AGAIN),
    task_finished(task("extract").attempt(3), "success", AGAIN + timedelta(minutes=1), AGAIN),
)
_ATTEMPTS = """
SELECT a.task_id, a.run_started_at, a.try_number, a.state, a.outcome, a.ready_at IS NOT NULL AS made, v.output, v.state,
       v.present, v.retention, v.due_at, v.reason
FROM storage.attempts a JOIN storage.versions v USING (place, generation)
WHERE a.try_number IS NOT NULL ORDER BY 1, 2, 3
"""
_RUNS = """
SELECT run_started_at, started, fresh, confirmed, run_after, logical_date, dag_version, outcome, finished_at, deleted_at
FROM storage.runs ORDER BY 1
"""
_ENDS = "SELECT task_id, run_started_at, try_number, state, ended_at FROM storage.ends ORDER BY 1, 2, 3"


async def tables(platform: Platform) -> list[list[tuple[object, ...]]]:
    """All that facts decide: not the numbers of generations, which count who came first."""
    return [[tuple(row) for row in await platform.pool.fetch(sql)] for sql in (_ATTEMPTS, _RUNS, _ENDS)]


async def told(platform: Platform, facts: list[Event]) -> list[list[tuple[object, ...]]]:
    """The tables after these facts, on empty tables, once time has passed too."""
    await platform.pool.execute(
        "TRUNCATE storage.runs, storage.graphs, storage.ends, storage.attempts, storage.versions, storage.holds, "
        "storage.tokens"
    )
    platform.store.files.clear()
    await platform.hear(*facts)
    platform.now = AGAIN + timedelta(minutes=30)
    await platform.tidy()
    platform.now = MIDNIGHT + timedelta(minutes=30)
    return await tables(platform)


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_with_repetitions_gives_the_same_tables(platform: Platform, seed: int) -> None:
    expected = await told(platform, list(FACTS))
    chance = random.Random(seed)
    shuffled = [*FACTS, *chance.sample(FACTS, 4)]
    chance.shuffle(shuffled)

    assert await told(platform, shuffled) == expected
    assert [row[:4] for row in expected[0]] == [
        ("extract", MIDNIGHT, 1, "sealed"),
        ("extract", MIDNIGHT, 2, "sealed"),
        ("extract", AGAIN, 3, "sealed"),
    ]


async def test_a_replay_of_everything_changes_nothing(platform: Platform) -> None:
    once = await told(platform, list(FACTS))

    await platform.hear(*FACTS)

    assert await tables(platform) == once
