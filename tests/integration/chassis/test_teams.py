"""What services keep of teams: the newest status of each, whatever the order of arrival."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from outrider_bus import MIGRATIONS
from outrider_bus.database import PostgresDatabase
from outrider_bus.ports import Heard, Origin
from outrider_chassis.database import Pool, open_pool
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_chassis.teams import TeamsProjection, keep_statuses
from outrider_contracts.envelope import Envelope
from outrider_contracts.event import Event
from outrider_contracts.tenants import TeamStatus
from outrider_local.handles import Database

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url, database.password_file)
    await migrate(pool, [("bus", MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS)])
    yield pool
    await pool.close()


def status(team: str, revision: int, phase: str = "Ready") -> TeamStatus:
    return TeamStatus.model_validate(
        {
            "team": team, "uid": "a" * 32, "observed_generation": revision, "digest": "", "phase": phase,
            "revision": revision, "updated_at": NOW + timedelta(seconds=revision),
            "readable": [{"from": "other", "output": f"dag/task/o{revision}"}],
        }
    )  # fmt: skip


async def hear(pool: Pool, *statuses: TeamStatus) -> None:
    heard: list[Heard[Event]] = [
        Heard(said, Envelope(said.id, said.type, "/test"), Origin(said.topic, 0, at, NOW))
        for at, said in enumerate(statuses)
    ]
    async with PostgresDatabase(pool, service="test").begin() as tx:
        await keep_statuses(heard, tx)


async def test_the_newest_status_wins_in_every_order(pool: Pool) -> None:
    teams = TeamsProjection(pool)
    for at, order in enumerate(itertools.permutations((1, 2, 3))):
        team = f"team{at}"
        await hear(pool, *(status(team, revision) for revision in order[:2]))
        await hear(pool, status(team, order[2]))

        known = await teams.get(team)
        assert known is not None
        assert known.revision == 3
        assert [grant.output for grant in await teams.readable(team)] == ["dag/task/o3"]


async def test_an_unknown_team_is_none_and_reads_nothing(pool: Pool) -> None:
    teams = TeamsProjection(pool)

    assert await teams.get("nobody") is None
    assert await teams.readable("nobody") == ()


async def test_a_suspended_team_is_not_admitted(pool: Pool) -> None:
    teams = TeamsProjection(pool)
    await hear(pool, status("active", 1), status("idle", 1, "Suspended"), status("gone", 1, "Deleted"))

    assert [await teams.admits(team) for team in ("active", "idle", "gone", "nobody")] == [True, False, False, True]
