"""Holds: who still needs a version, and until when."""

from collections.abc import Collection
from datetime import datetime

from outrider_contracts.holdings import HoldView
from outrider_contracts.keys import RunKey, TaskKey

from storage.records.codec import Connection, Row, run_columns, task_of


def reader(task: TaskKey, run_started_at: datetime) -> str:
    """The name a reading task holds versions under; its retries share it."""
    part = f"/{task.map_index}" if task.map_index >= 0 else ""
    return f"task {task.record_key}/{task.task_id}{part} @{run_started_at.isoformat()}"


def shown(holder: str, viewer: str | None) -> str:
    """*holder* as team *viewer* may read it: another team's run and task names are not its business."""
    kind, _, name = holder.partition(" ")
    team = name.split("/")[0]
    return f"a task of team {team}" if kind == "task" and viewer not in (None, team) else holder


async def of_paths(
    connection: Connection, paths: Collection[str], now: datetime, viewer: str | None
) -> dict[str, tuple[HoldView, ...]]:
    """Who keeps each of *paths* at this moment, as team *viewer* may read it (None: the platform)."""
    rows: list[Row] = await connection.fetch(
        "SELECT path, holder, reason, since, expires_at FROM storage.holds WHERE path = ANY($1::text[]) "
        "AND released_at IS NULL AND expires_at > $2 ORDER BY since, holder",
        list(paths), now,
    )  # fmt: skip
    found: dict[str, dict[str, HoldView]] = {}
    for row in rows:
        holder = shown(row["holder"], viewer)
        known = found.setdefault(row["path"], {})
        if holder not in known:  # masked ones look alike
            known[holder] = HoldView(
                holder=holder, reason=row["reason"], since=row["since"], expires_at=row["expires_at"]
            )
    return {path: tuple(known.values()) for path, known in found.items()}


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


async def release_run(
    connection: Connection, run: RunKey, until_start: datetime, now: datetime, *, but: Collection[str]
) -> None:
    """No task of the run's starts up to *until_start* reads any more, *but* these holders."""
    rows: list[Row] = await connection.fetch(
        "SELECT DISTINCT team, dag_id, run_id, task_id, map_index, run_started_at FROM storage.attempts "
        "WHERE (team, dag_id, run_id) = ($1, $2, $3) AND state <> 'dropped' AND run_started_at <= $4",
        *run_columns(run), until_start,
    )  # fmt: skip
    # by their whole names: of what begins like them some is another run's
    over = {reader(task_of(row), row["run_started_at"]) for row in rows} - set(but)
    await connection.execute(
        "UPDATE storage.holds SET released_at = $2 WHERE holder = ANY($1::text[]) AND released_at IS NULL",
        list(over), now,
    )  # fmt: skip


async def reading(connection: Connection, run: RunKey) -> set[str]:
    """Holders of the run with a try that asked for its environment and is not sealed: no event lets go for them."""
    rows: list[Row] = await connection.fetch(
        "SELECT team, dag_id, run_id, task_id, map_index, run_started_at FROM storage.attempts "
        "WHERE (team, dag_id, run_id) = ($1, $2, $3) AND state IN ('announced', 'ready') AND ensured_at IS NOT NULL",
        *run_columns(run),
    )
    return {reader(task_of(row), row["run_started_at"]) for row in rows}
