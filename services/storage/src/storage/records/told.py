"""What tries were told instead of what they asked for, kept for the people who ask why."""

from datetime import datetime, timedelta

from outrider_contracts.holdings import ToldView
from outrider_contracts.keys import RunKey, TryKey

from storage.domain.refusals import Waiting
from storage.records.codec import Connection, Row, run_columns, task_columns, task_of

KEPT = timedelta(days=45)
_KEEP = """
INSERT INTO storage.told AS known (team, dag_id, run_id, task_id, map_index, run_started_at, try_number, kind, what,
                                   message, fix, first_at, last_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
ON CONFLICT (team, dag_id, run_id, task_id, map_index, run_started_at, try_number, kind, what) DO UPDATE SET
    message = excluded.message, fix = excluded.fix, last_at = greatest(known.last_at, excluded.last_at)
"""


async def keep_wait(
    connection: Connection, tried: TryKey, run_started_at: datetime, waiting: Waiting, now: datetime
) -> None:
    """The try waits, since it was told so first; for an input it is one wait, whatever becomes of its producer."""
    what, message = waiting.waiting_for, ""
    if waiting.awaited is not None:
        what, message = f"input {waiting.awaited!r}", what
    await connection.execute(
        _KEEP, *task_columns(tried), run_started_at, tried.try_number, "waiting", what, message, "", now
    )


async def keep_refusal(
    connection: Connection, tried: TryKey, run_started_at: datetime, reason: str, message: str, fix: str, now: datetime
) -> None:
    """The try was told no."""
    await connection.execute(
        _KEEP, *task_columns(tried), run_started_at, tried.try_number, "refused", reason, message, fix, now
    )


async def of_run(connection: Connection, run: RunKey, task_id: str | None, limit: int) -> list[ToldView]:
    """What tries of the run (of one task of it) were told, in the order it was first said."""
    rows: list[Row] = await connection.fetch(
        "SELECT * FROM storage.told WHERE (team, dag_id, run_id) = ($1, $2, $3) AND ($4::text IS NULL OR task_id = $4) "
        "ORDER BY first_at DESC LIMIT $5",
        *run_columns(run), task_id, limit,
    )  # fmt: skip
    names = ("run_started_at", "kind", "what", "message", "fix", "first_at", "last_at")
    return [
        ToldView(task=task_of(row).attempt(row["try_number"]), **{name: row[name] for name in names})
        for row in reversed(rows)
    ]


async def forget(connection: Connection, before: datetime) -> None:
    """Nobody asks about what was said so long ago."""
    await connection.execute("DELETE FROM storage.told WHERE last_at < $1", before)
