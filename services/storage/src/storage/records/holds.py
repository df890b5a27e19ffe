"""Holds: who still needs a version, and until when."""

from datetime import datetime

from outrider_contracts.keys import RunKey, TaskKey

from storage.records.codec import Connection


def reader(task: TaskKey, run_started_at: datetime) -> str:
    """The name a reading task holds versions under; its retries share it."""
    part = f"/{task.map_index}" if task.map_index >= 0 else ""
    return f"task {task.record_key}/{task.task_id}{part} @{run_started_at.isoformat()}"


async def hold(
    connection: Connection, paths: list[str], holder: str, *, reason: str, now: datetime, until: datetime
) -> None:
    """Keep *paths* until then; holding again extends."""
    await connection.execute(
        "INSERT INTO storage.holds AS known (path, holder, reason, since, expires_at) "
        "SELECT path, $2, $3, $4, $5 FROM unnest($1::text[]) AS path "
        "ON CONFLICT (path, holder) DO UPDATE SET reason = excluded.reason, released_at = NULL, "
        "expires_at = greatest(known.expires_at, excluded.expires_at)",
        paths, holder, reason, now, until,
    )  # fmt: skip


async def release(connection: Connection, holder: str, now: datetime) -> None:
    """The holder needs nothing any more."""
    await connection.execute(
        "UPDATE storage.holds SET released_at = $2 WHERE holder = $1 AND released_at IS NULL", holder, now
    )


async def release_run(connection: Connection, run: RunKey, until_start: datetime, now: datetime) -> None:
    """No task of the run's starts up to *until_start* reads any more."""
    await connection.execute(
        "UPDATE storage.holds SET released_at = $3 WHERE released_at IS NULL AND starts_with(holder, $1) "
        "AND split_part(holder, ' @', 2)::timestamptz <= $2",
        f"task {run.record_key}/", until_start, now,
    )  # fmt: skip
