"""The notebook in PostgreSQL keeps what the ports promise, and facts leave with it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from outrider_bus.database import PostgresDatabase
from outrider_chassis.database import Pool
from outrider_contracts.airflow import RunFinished, RunStarted
from sweep.adapters.teams import PostgresTeams
from sweep.domain.runs import plan_run
from sweep.domain.seen import Outcome, SaidTry, Whose, try_of
from sweep.records import PostgresNotebook, forget_runs, keep_runs

from tests.unit.sweep.keeping import END, RUN, KeepingSuite, page
from tests.unit.sweep.world import at, seen_run


@pytest.fixture(autouse=True)
async def empty(pool: Pool) -> AsyncIterator[None]:
    """Tests of one module share the database."""
    yield
    await pool.execute("TRUNCATE sweep.cursors, sweep.runs, sweep.ends, bus.outbox, chassis.teams")


class TestPostgresNotebook(KeepingSuite):
    """The whole suite."""


async def test_facts_and_what_is_known_of_them_are_kept_together(pool: Pool, notebook: PostgresNotebook) -> None:
    """The outbox has them in order; a stale cursor keeps neither."""
    plan = plan_run(seen_run("success", ended=9), None, Whose("ads", "bundle"), at=at(60), patience=at(1) - at(0))
    assert plan.known is not None

    await notebook.write(Outcome(plan.facts, known=(plan.known,)))

    rows = await pool.fetch("SELECT topic, convert_from(key, 'utf8') AS key, id FROM bus.outbox ORDER BY seq")
    assert [row["id"] for row in rows] == [fact.id for fact in plan.facts]
    assert {(row["topic"], row["key"]) for row in rows} == {("outrider.airflow.v1", "ads/daily/r1")}
    assert [type(fact) for fact in plan.facts] == [RunStarted, RunFinished]


async def test_ends_are_remembered_as_long_as_their_run_goes_on(pool: Pool, notebook: PostgresNotebook) -> None:
    """A task may be tried again after hours; then its earlier tries are looked at too."""
    over = replace(RUN, run_id="r2", ended_at=at(9))
    of_over: SaidTry = ("daily", "r2", *END[2:])
    await notebook.write(Outcome(known=(RUN, over), dealt_with=frozenset({END, of_over})))
    await pool.execute("UPDATE sweep.ends SET seen_at = now() - interval '1 day'")

    fresh = await notebook.at("tasks")
    await notebook.write(Outcome(moved=("tasks", fresh, fresh.after(page(None, at(9))))))

    assert set(await notebook.told([try_of(END), try_of(of_over)])) == {try_of(END)}
    assert await pool.fetchval("SELECT count(*) FROM sweep.ends WHERE seen_at < now() - interval '1 hour'") == 0


async def test_a_batch_of_tellings_is_one_statement_and_comes_to_the_same(pool: Pool) -> None:
    """The consumer of run facts writes through the same statements."""
    async with PostgresDatabase(pool, service="sweep").begin() as tx:
        await keep_runs(tx.connection, [RUN, RUN])
        await forget_runs(tx.connection, [])

    assert await pool.fetchval("SELECT count(*) FROM sweep.runs") == 1


async def test_a_bundle_binds_before_what_was_heard_of_a_dag(pool: Pool) -> None:
    """A fact in another team's name moves no DAG; where no bundle is known, what the listener said counts."""
    async with PostgresDatabase(pool, service="sweep").begin() as tx:
        await keep_runs(tx.connection, [RUN])
    teams = PostgresTeams(pool, remembered_seconds=0)
    assert await teams.of("daily", "news") == Whose("ads", "bundle")

    await pool.execute(
        "INSERT INTO chassis.teams (team, phase, updated_at, status) VALUES ('news', 'Ready', now(), '{}')"
    )

    assert await teams.of("daily", "news") == Whose("news", "bundle")
    assert await teams.of("other", "elsewhere") is None


async def test_a_run_that_was_missed_is_asked_after_before_all_that_have_ended(
    pool: Pool, notebook: PostgresNotebook
) -> None:
    """Thousands of ended runs may be due; a deletion is told when it was seen twice, a minute apart."""
    ended = [replace(RUN, run_id=f"e{number}", ended_at=at(9)) for number in range(5)]
    missing = replace(RUN, run_id="missing", ended_at=at(9), missing_since=at(50))
    await notebook.write(Outcome(known=(*ended, missing)))
    await pool.execute(
        "UPDATE sweep.runs SET checked_at = now() - "
        "CASE WHEN missing_since IS NULL THEN interval '3 hours' ELSE interval '1 minute' END"
    )

    assert [run.run_id for run in await notebook.due(1)] == ["missing"]
