"""Asking whose a DAG is, without a database."""

from typing import cast

from outrider_chassis.database import Pool
from sweep.adapters.teams import PostgresTeams


class Counting:
    """A database that knows no team."""

    def __init__(self) -> None:
        self.asked = 0

    async def fetchval(self, *_: object) -> None:
        self.asked += 1

    async def fetchrow(self, *_: object) -> None:
        self.asked += 1


async def test_what_is_nobodys_is_not_asked_about_row_by_row() -> None:
    """Where one team of many uses this, nearly every row that is read is nobody's."""
    database = Counting()
    teams = PostgresTeams(cast(Pool, database))

    assert [await teams.of("daily", "somebody-elses") for _ in range(100)] == [None] * 100

    assert database.asked == 2
