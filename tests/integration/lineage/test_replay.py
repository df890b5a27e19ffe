"""Lineage handles facts again, as it runs: its tables and all it ever said stay as they are."""

import uuid
from collections.abc import AsyncIterator

import pytest
from outrider_bus.bus import Bus
from outrider_chassis.database import Pool
from outrider_contracts.replays import Replay, ReplayRequest
from outrider_contracts.tenants import TeamStatus
from outrider_local.handles import RunningKafka

from tests.integration.bus.real_world import eventually
from tests.integration.lineage.running import Kafka, service
from tests.unit.lineage.stories import (
    EXTRACT,
    TRANSFORM,
    at,
    ready,
    run_key,
    run_started,
    sealed,
    task_finished,
    task_key,
    task_started,
    version,
)

SAID = ("outrider.lineage.v1", "outrider.lineage.edges.v1")
TOPICS = ("outrider.airflow.v1", "outrider.environments.v1")


@pytest.fixture
async def kafka(shared_topics: RunningKafka) -> AsyncIterator[Kafka]:
    world = Kafka(shared_topics)
    async with world.listening(*SAID):
        yield world


async def replay(bus: Bus, team: str, mode: str) -> list[Replay]:
    """Both topics, this team's records; gives the ended jobs."""
    ended = []
    for topic in TOPICS:
        wanted = {"group": "lineage", "topic": topic, "teams": [team], "mode": mode, "reason": "a test"}
        job = await bus.replays.order(ReplayRequest.model_validate(wanted), actor="ann")

        async def is_over(id: str = job.id) -> bool:
            return (await bus.replays.get(id)).is_over

        await eventually(is_over, seconds=60)
        ended.append(await bus.replays.get(job.id))
    return ended


async def has_heard_of(pool: Pool, team: str) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM chassis.teams WHERE team = $1", team))


async def has_nothing_to_do(bus: Bus, pool: Pool) -> bool:
    """Nothing that other tests have said is still to be heard or settled."""
    lags = [lag.records for group in bus.groups.values() for lag in group.subscription.lag().values()]
    return not any(lags) and not await pool.fetchval("SELECT count(*) FROM lineage.unsettled")


async def tables(pool: Pool) -> dict[str, str]:
    """A hash of each of the service's tables."""
    names = await pool.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname IN ('lineage', 'chassis') ORDER BY 1"
    )
    hashed = "SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM"
    return {row["name"]: await pool.fetchval(f"{hashed} {row['name']} t") for row in names}


async def test_repeating_a_replay_changes_nothing_and_says_nothing(kafka: Kafka, pool: Pool) -> None:
    team = f"t{uuid.uuid4().hex[:8]}"
    run = run_key(team)
    extract, transform = task_key("extract", run).attempt(1), task_key("transform", run, 0).attempt(1)
    orders = {"orders": (version(extract, "orders"),)}
    status = TeamStatus(
        team=team, uid=uuid.uuid4().hex, observed_generation=1, digest="d", phase="Ready", revision=1, updated_at=at(0)
    )
    await kafka.make_team(team)
    async with service(kafka, pool) as bus:
        await kafka.say(
            status, run_started(run), task_started(extract, 1, EXTRACT), ready(extract, 1.1),
            sealed(extract, 3, ["orders"]), task_finished(extract, 4), task_started(transform, 5, TRANSFORM),
            ready(transform, 5.1, orders), sealed(transform, 6, ["daily"], orders), task_finished(transform, 7),
        )  # fmt: skip
        await kafka.wait(lambda: sum(team in str(record) for record in kafka.records[SAID[0]]) == 5)
        await kafka.wait(lambda: sum(team in str(record) for record in kafka.records[SAID[1]]) == 4)
        await eventually(lambda: has_heard_of(pool, team), seconds=60)  # and so of all teams before it
        await eventually(lambda: has_nothing_to_do(bus, pool), seconds=60)
        before = await tables(pool)

        counted = []
        for mode in ("missing", "reapply", "reapply"):
            counted += [(job.counts.done, job.counts.known) for job in await replay(bus, team, mode)]
            assert await tables(pool) == before
        await pool.execute("DELETE FROM bus.inbox")
        counted += [(job.counts.done, job.counts.known) for job in await replay(bus, team, "missing")]

    assert await tables(pool) == before
    assert counted == [(0, 5), (0, 4), (5, 0), (4, 0), (5, 0), (4, 0), (5, 0), (4, 0)]
    assert await pool.fetchval("SELECT count(*) FROM bus.outbox WHERE topic = ANY ($1)", SAID) == 0
    assert [sum(team in str(record) for record in kafka.records[topic]) for topic in SAID] == [5, 4]
    assert len(set(before.values())) > 4
