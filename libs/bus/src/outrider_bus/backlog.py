"""What waits in the service's database: rows on their way to Kafka, and records of sick lanes."""

from collections.abc import Mapping
from dataclasses import dataclass

from outrider_bus.ports import Connection

_OUTBOX = """
SELECT count(*) FILTER (WHERE stuck IS NULL) AS waiting, count(*) FILTER (WHERE stuck IS NOT NULL) AS stuck,
    coalesce(extract(epoch FROM now() - (SELECT said_at FROM bus.outbox WHERE stuck IS NULL ORDER BY seq LIMIT 1)), 0)
        ::float8 AS age
FROM bus.outbox
"""
_PARKED = "SELECT group_id, count(DISTINCT lane) AS lanes, count(*) AS records FROM bus.parked GROUP BY group_id"


@dataclass(frozen=True)
class Backlog:
    """Rows of the outbox that wait, for how many seconds the oldest does, and rows that Kafka will never take.

    `parked`: by group, how many lanes are sick and how many records they hold.
    """

    waiting: int
    age: float
    stuck: int
    parked: Mapping[str, tuple[int, int]]


async def backlog(connection: Connection) -> Backlog:
    """Look at it now; of all processes of the service, for they share it."""
    row = await connection.fetchrow(_OUTBOX)
    assert row is not None
    parked = {r["group_id"]: (r["lanes"], r["records"]) for r in await connection.fetch(_PARKED)}
    return Backlog(row["waiting"], max(0.0, row["age"]), row["stuck"], parked)
