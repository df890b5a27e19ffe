"""Migrations on the real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from outrider_chassis.database import Pool, open_pool
from outrider_chassis.migrations import MigrationChanged, migrate
from outrider_local.handles import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.url, database.password_file)
    yield pool
    await pool.close()


def write(directory: Path, name: str, sql: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(sql)


async def test_several_replicas_that_start_at_once_apply_each_file_once(pool: Pool, tmp_path: Path) -> None:
    write(tmp_path / "m", "0001_a.sql", "CREATE TABLE once (n int); INSERT INTO once VALUES (1);")

    await asyncio.gather(*(migrate(pool, [("together", tmp_path / "m")]) for _ in range(4)))

    assert await pool.fetchval("SELECT count(*) FROM once") == 1


async def test_a_file_that_fails_leaves_nothing_and_is_tried_again(pool: Pool, tmp_path: Path) -> None:
    write(tmp_path / "m", "0001_a.sql", "CREATE TABLE half (n int); SELECT 1/0;")
    with pytest.raises(Exception, match="division by zero"):
        await migrate(pool, [("half", tmp_path / "m")])

    write(tmp_path / "m", "0001_a.sql", "CREATE TABLE half (n int);")
    await migrate(pool, [("half", tmp_path / "m")])

    assert await pool.fetchval("SELECT count(*) FROM half") == 0


async def test_a_file_that_was_edited_after_it_was_applied_stops_the_start(pool: Pool, tmp_path: Path) -> None:
    write(tmp_path / "m", "0001_a.sql", "SELECT 1;")
    await migrate(pool, [("edited", tmp_path / "m")])

    write(tmp_path / "m", "0001_a.sql", "SELECT 2;")

    with pytest.raises(MigrationChanged):
        await migrate(pool, [("edited", tmp_path / "m")])


async def test_a_schema_of_the_role_s_name_hides_no_ledger(pool: Pool, tmp_path: Path) -> None:
    """ "$user" comes first in the search path."""
    write(tmp_path / "m", "0001_a.sql", 'CREATE SCHEMA "postgres"; CREATE TABLE public.hidden (n int);')

    await migrate(pool, [("hiding", tmp_path / "m")])
    await migrate(pool, [("hiding", tmp_path / "m")])
