"""Holds and seals against hearsay and against races: an event alone neither lets go for a reader nor ends its try."""

import asyncio
from datetime import datetime, timedelta

import pytest
from outrider_contracts.declarations import Input, Output, TaskDeclaration, parse_declaration
from outrider_contracts.environments import EnvironmentSealed
from outrider_contracts.holdings import HoldRequest, Pending
from outrider_contracts.keys import TaskKey, TryKey
from outrider_contracts.tenants import Acceptance
from storage.cases import people, show
from storage.domain.refusals import Refused
from storage.domain.removal import AirflowRun
from storage.records import removals

from tests.integration.storage.platform import (
    EXTRACT,
    MIDNIGHT,
    Platform,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
)

ORDERS = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
END = MIDNIGHT + timedelta(minutes=20)
READING = END + timedelta(days=2)


async def read_by(platform: Platform, reader: TaskKey, team: str | None = None) -> TryKey:
    """A version of an ended run, which the first try of *reader* reads; its retention is over a day later."""
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.hear(run_finished(run(), END))
    platform.airflow_says(run())
    platform.now = READING
    await platform.ensure(reader.attempt(1), reading(reader, team), READING, READING)
    platform.now = END + timedelta(days=4)
    return reader.attempt(1)


def reading(reader: TaskKey, team: str | None = None) -> TaskDeclaration:
    return parse_declaration(reader.task_id, inputs={"orders": Input("extract", "orders", dag="daily", team=team)})


READER = task("load", "x1", dag_id="weekly")


async def test_a_forged_end_lets_go_for_no_try_that_is_at_work(platform: Platform) -> None:
    tried = await read_by(platform, READER)
    platform.airflow.working.add(tried)

    await platform.hear(
        run_finished(READER.run, platform.now, READING),
        task_finished(tried, "success", platform.now, READING),
        task_finished(tried, "failed", platform.now, READING),
    )
    platform.later(minutes=1)
    await platform.tidy()

    assert await platform.clear() == (0, 0)
    assert await platform.state(ORDERS) == "sealed"
    assert all(one["task"]["task_id"] != "load" for one in await platform.said(EnvironmentSealed))
    platform.airflow.working.clear()
    await platform.tidy()
    assert await platform.clear() == (1, 0)


async def test_the_end_of_a_run_lets_go_for_no_run_whose_id_begins_alike(platform: Platform) -> None:
    """Where Airflow is set up to allow a slash."""
    tried = await read_by(platform, task("load", "x1/a", dag_id="weekly"))
    await platform.seal(tried, success=False, started=READING)

    await platform.hear(run_finished(READER.run, platform.now, READING))

    assert await platform.clear() == (0, 0)
    await platform.hear(run_finished(tried.run, platform.now, READING))
    assert await platform.clear() == (1, 0)


async def test_a_run_may_be_called_like_a_moment_in_a_holders_name(platform: Platform) -> None:
    tried = await read_by(platform, task("load", "x1 @noon", dag_id="weekly"))
    await platform.seal(tried, success=False, started=READING)

    await platform.hear(run_finished(tried.run, platform.now, READING))

    assert await platform.clear() == (1, 0)


async def test_a_late_end_of_an_earlier_try_lets_go_for_no_later_one(platform: Platform) -> None:
    """The end came by the spool; the task was cleared meanwhile and its second try reads."""
    tried = await read_by(platform, READER)
    await platform.seal(tried, success=False, started=READING)
    await platform.ensure(READER.attempt(2), reading(READER), READING, READING)

    await platform.hear(task_finished(tried, "failed", platform.now, READING))
    assert await platform.clear() == (0, 0)

    await platform.seal(READER.attempt(2), started=READING)
    assert await platform.clear() == (1, 0)


async def test_a_hold_taken_while_the_version_is_being_doomed_is_refused(platform: Platform) -> None:
    """Who was told that it is held must not lose it a day later."""
    await platform.hear(run_started(run()))
    await platform.produce(
        task("extract").attempt(1), parse_declaration("extract", outputs={"orders": Output(retention="run")})
    )
    await platform.hear(run_finished(run(), END))
    platform.later(hours=1)

    async with platform.work.database.begin() as tx:
        assert await removals.doom(tx.connection, ORDERS, platform.now, timedelta(days=1)) is not None
        asked = HoldRequest(path=ORDERS, duration="7d", reason="audit")
        holding = asyncio.create_task(people.hold(platform.work, asked, "ann"))
        await platform.until_somebody_waits()

    with pytest.raises(Refused, match="can be held"):
        await holding


async def test_an_end_told_too_early_shortens_no_retention(platform: Platform) -> None:
    """A forged end lies far back; the real one has just come about in Airflow and was not heard yet."""
    await platform.hear(run_started(run()))
    await platform.produce(task("extract").attempt(1), EXTRACT)
    await platform.hear(run_finished(run(), END))
    platform.now = MIDNIGHT + timedelta(days=5)
    platform.airflow.runs[run()] = ended(platform.now - timedelta(seconds=1))

    assert await platform.clear() == (0, 0)

    platform.airflow.runs[run()] = ended(END)
    assert await platform.clear() == (1, 0)


async def test_a_team_sees_of_another_teams_readers_the_team_alone(platform: Platform) -> None:
    platform.onboard("news", readable=(Acceptance.model_validate({"from": "ads", "output": "daily/extract/orders"}),))
    await read_by(platform, task("secret-load", "x1", dag_id="secret-dag", team="news"), "ads")

    def readers(pending: Pending) -> tuple[str, ...]:
        return tuple(holder for one in pending.versions for holder in one.held_by)

    assert readers(await show.pending(platform.work, "ads", "ads")) == ("a task of team news",)
    assert "secret-dag" in readers(await show.pending(platform.work, "ads"))[0]


def ended(at: datetime) -> AirflowRun:
    return AirflowRun("success", True, MIDNIGHT, 0, at)
