"""Giving a connection back takes a statement, too: PostgreSQL may go away in the middle of it."""

from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest
from outrider_bus.database import PostgresDatabase


class LostAtTheEnd:
    """A pool whose connection is lost while it is cleaned for whoever comes next; asyncpg ends it, and raises."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def acquire(self) -> "LostAtTheEnd":
        return self

    async def release(self, _: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    def transaction(self) -> SimpleNamespace:
        async def start() -> None:
            """It begins."""

        async def commit() -> None:
            self.ended.append("commit")

        async def rollback() -> None:
            self.ended.append("rollback")

        return SimpleNamespace(start=start, commit=commit, rollback=rollback)

    def is_closed(self) -> bool:
        return False

    async def fetch(self, *_: object) -> list[str]:
        return ["row"]


async def test_what_was_committed_is_no_failure_where_the_connection_is_lost_behind_it() -> None:
    """A replay would end as failed, a group that begins would stand still until its service is restarted."""
    pool = LostAtTheEnd()
    database = PostgresDatabase(cast("Any", pool), service="s")

    async with database.begin():
        pass

    assert pool.ended == ["commit"]
    rows: list[Any] = await database.fetch("SELECT")
    assert rows == ["row"]


async def test_what_went_wrong_is_told_where_the_connection_is_lost_behind_it() -> None:
    pool = LostAtTheEnd()

    with pytest.raises(ValueError, match="its own fault"):
        async with PostgresDatabase(cast("Any", pool), service="s").begin():
            raise ValueError("its own fault")

    assert pool.ended == ["rollback"]
