"""Runs, graphs and ends of tries: facts as heard. Every merge gives the same row in any order, any number of times."""

from datetime import datetime

from outrider_contracts.airflow import GraphDeclared, RunDeleted, RunFinished, RunStarted, TaskFinished
from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.keys import RunKey
from pydantic import TypeAdapter

from storage.domain.runs import RunStart
from storage.records.codec import Connection, Row, run_columns, run_of, task_columns

_TASKS: TypeAdapter[tuple[TaskDeclaration, ...]] = TypeAdapter(tuple[TaskDeclaration, ...])

_STARTED = """
INSERT INTO storage.runs AS known
    (team, dag_id, run_id, run_started_at, started, fresh, run_after, logical_date, dag_version, heard_at, replayed)
VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8, $9, $10)
ON CONFLICT (team, dag_id, run_id, run_started_at) DO UPDATE SET
    started = true,
    replayed = known.replayed AND excluded.replayed,
    fresh = known.fresh OR excluded.fresh,
    run_after = coalesce(excluded.run_after, known.run_after),
    logical_date = coalesce(excluded.logical_date, known.logical_date),
    dag_version = greatest(known.dag_version, excluded.dag_version)
"""
_FINISHED = """
INSERT INTO storage.runs AS known
    (team, dag_id, run_id, run_started_at, confirmed, outcome, finished_at, logical_date, run_after, heard_at)
VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8, $9)
ON CONFLICT (team, dag_id, run_id, run_started_at) DO UPDATE SET
    confirmed = true,
    replayed = false,
    outcome = CASE WHEN (excluded.finished_at, excluded.outcome)
                        > (coalesce(known.finished_at, '-infinity'), coalesce(known.outcome, ''))
                   THEN excluded.outcome ELSE known.outcome END,
    finished_at = greatest(known.finished_at, excluded.finished_at),
    logical_date = coalesce(known.logical_date, excluded.logical_date),
    run_after = coalesce(known.run_after, excluded.run_after)
"""
_DELETED = """
INSERT INTO storage.runs AS known (team, dag_id, run_id, run_started_at, deleted_at, heard_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (team, dag_id, run_id, run_started_at) DO UPDATE SET
    deleted_at = least(known.deleted_at, excluded.deleted_at),
    replayed = false
"""
_CONFIRMED = """
INSERT INTO storage.runs AS known
    (team, dag_id, run_id, run_started_at, confirmed, run_after, logical_date, heard_at, replayed)
VALUES ($1, $2, $3, $4, true, $5, $6, $7, $8)
ON CONFLICT (team, dag_id, run_id, run_started_at) DO UPDATE SET
    confirmed = true,
    replayed = known.replayed AND excluded.replayed,
    run_after = coalesce(known.run_after, excluded.run_after),
    logical_date = coalesce(known.logical_date, excluded.logical_date)
WHERE NOT known.confirmed OR known.run_after IS NULL OR known.replayed > excluded.replayed
"""
_ENDED = """
INSERT INTO storage.ends AS known
    (team, dag_id, run_id, task_id, map_index, run_started_at, try_number, state, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (team, dag_id, run_id, task_id, map_index, run_started_at, try_number) DO UPDATE SET
    state = excluded.state, ended_at = excluded.ended_at
WHERE (excluded.ended_at, excluded.state) > (known.ended_at, known.state)
"""


async def keep_start(
    connection: Connection, said: RunStarted, *, fresh: bool, now: datetime, replayed: bool = False
) -> None:
    """A run began, or was reopened."""
    version = said.dag_version
    dates = (said.run_after, said.logical_date)
    values = (said.run_started_at, fresh, *dates, version, now, replayed)
    await connection.execute(_STARTED, *run_columns(said.run), *values)


async def keep_finish(connection: Connection, said: RunFinished, now: datetime) -> None:
    """A run ended; of several ends the last counts."""
    dates = (said.logical_date, said.run_after)
    await connection.execute(
        _FINISHED, *run_columns(said.run), said.run_started_at, said.state, said.finished_at, *dates, now
    )


async def keep_deletion(connection: Connection, said: RunDeleted, now: datetime) -> None:
    """A run is gone from Airflow."""
    await connection.execute(_DELETED, *run_columns(said.run), said.run_started_at, said.seen_at, now)


async def confirm(
    connection: Connection, run: RunKey, started_at: datetime,
    run_after: datetime | None, logical_date: datetime | None, now: datetime, *, replayed: bool = False,
) -> None:  # fmt: skip
    """Something else than its start showed that the run is real."""
    await connection.execute(_CONFIRMED, *run_columns(run), started_at, run_after, logical_date, now, replayed)


async def keep_end(connection: Connection, said: TaskFinished) -> None:
    """A try ended; of several ends the last counts."""
    key = (*task_columns(said.task), said.run_started_at, said.task.try_number)
    await connection.execute(_ENDED, *key, said.state, said.finished_at)


async def keep_graph(connection: Connection, said: GraphDeclared) -> bool:
    """One chunk of what a DAG version declares; False if it was known."""
    new = await connection.fetchval(
        "INSERT INTO storage.graphs (team, dag_id, dag_version, chunk, tasks) VALUES ($1, $2, $3, $4, $5::jsonb) "
        "ON CONFLICT DO NOTHING RETURNING true",
        said.run.team, said.run.dag_id, said.dag_version, said.chunk, _TASKS.dump_json(said.tasks).decode(),
    )  # fmt: skip
    return bool(new)


async def starts(connection: Connection, run: RunKey) -> list[RunStart]:
    """Every start known under this run's id."""
    rows: list[Row] = await connection.fetch(
        "SELECT * FROM storage.runs WHERE (team, dag_id, run_id) = ($1, $2, $3) ORDER BY run_started_at",
        *run_columns(run),
    )
    return [start_of(row) for row in rows]


async def open_starts(connection: Connection, team: str, dag_id: str, dag_version: str) -> list[RunStart]:
    """Starts of open runs that wait for the graph of *dag_version*."""
    rows: list[Row] = await connection.fetch(
        "SELECT * FROM storage.runs WHERE (team, dag_id, dag_version) = ($1, $2, $3) "
        "AND started AND finished_at IS NULL ORDER BY run_started_at",
        team, dag_id, dag_version,
    )  # fmt: skip
    return [start_of(row) for row in rows]


async def graph(connection: Connection, team: str, dag_id: str, dag_version: str) -> list[TaskDeclaration]:
    """What the tasks of the DAG version declare, as far as it was heard."""
    rows: list[Row] = await connection.fetch(
        "SELECT tasks::text AS tasks FROM storage.graphs WHERE (team, dag_id, dag_version) = ($1, $2, $3) "
        "ORDER BY chunk",
        team, dag_id, dag_version,
    )  # fmt: skip
    return [task for row in rows for task in _TASKS.validate_json(row["tasks"])]


async def unconfirmed(connection: Connection, heard_before: datetime, limit: int) -> list[RunStart]:
    """Starts that nothing but themselves speaks for."""
    rows: list[Row] = await connection.fetch(
        "SELECT * FROM storage.runs WHERE NOT (confirmed OR replayed) AND heard_at < $1 AND deleted_at IS NULL "
        "ORDER BY heard_at LIMIT $2",
        heard_before, limit,
    )  # fmt: skip
    return [start_of(row) for row in rows]


async def unannounced(
    connection: Connection, started_after: datetime, stuck_since: datetime, limit: int
) -> list[RunStart]:
    """Open recent starts for which nothing was announced though their graph is known, or not to its end."""
    rows: list[Row] = await connection.fetch(
        "SELECT r.* FROM storage.runs r "
        "WHERE r.started AND NOT r.replayed AND r.finished_at IS NULL AND r.deleted_at IS NULL "
        "AND r.run_started_at > $1 AND r.dag_version <> '' "
        "AND EXISTS (SELECT FROM storage.graphs g "
        "WHERE (g.team, g.dag_id, g.dag_version) = (r.team, r.dag_id, r.dag_version) AND g.tasks <> '[]') "
        "AND (EXISTS (SELECT FROM storage.attempts a WHERE (a.team, a.dag_id, a.run_id, a.run_started_at) = "
        "(r.team, r.dag_id, r.run_id, r.run_started_at) AND a.try_number IS NULL AND a.state = 'announced' "
        "AND a.announced_at < $3) "
        "OR NOT EXISTS (SELECT FROM storage.attempts a WHERE (a.team, a.dag_id, a.run_id, a.run_started_at) = "
        "(r.team, r.dag_id, r.run_id, r.run_started_at))) ORDER BY r.run_started_at LIMIT $2",
        started_after, limit, stuck_since,
    )  # fmt: skip
    return [start_of(row) for row in rows]


async def give_up(connection: Connection, start: RunStart, now: datetime) -> None:
    """The run never was: it counts as deleted."""
    await connection.execute(
        "UPDATE storage.runs SET deleted_at = $5 WHERE (team, dag_id, run_id, run_started_at) = ($1, $2, $3, $4) "
        "AND NOT confirmed",
        *run_columns(start.run), start.run_started_at, now,
    )  # fmt: skip


async def set_absent(connection: Connection, start: RunStart, since: datetime | None) -> None:
    """Airflow said that it has no such run (None: it has one)."""
    await connection.execute(
        "UPDATE storage.runs SET absent_since = CASE WHEN $5::timestamptz IS NULL THEN NULL "
        "ELSE coalesce(absent_since, $5) END "
        "WHERE (team, dag_id, run_id, run_started_at) = ($1, $2, $3, $4)",
        *run_columns(start.run), start.run_started_at, since,
    )  # fmt: skip


def start_of(row: Row) -> RunStart:
    """One row as a value."""
    names = ("started", "fresh", "confirmed", "run_after", "logical_date", "dag_version", "outcome", "finished_at",
             "deleted_at", "absent_since", "heard_at", "replayed")  # fmt: skip
    return RunStart(run_of(row), row["run_started_at"], **{name: row[name] for name in names})
