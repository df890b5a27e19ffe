"""Attempts: which try writes which generation of which place."""

from collections.abc import Sequence
from datetime import datetime

from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.environments import InputVersion
from outrider_contracts.http import Carried
from outrider_contracts.keys import TaskKey

from storage.domain.attempts import Attempt, Wanted
from storage.records.codec import Connection, Row, inputs_json, inputs_of, task_columns, task_of

_ROW = """
SELECT place, generation, team, dag_id, run_id, task_id, map_index, run_started_at, try_number, run_after,
       logical_date, declaration::text AS declaration, state, outcome, epoch, failed_retention,
       inputs::text AS inputs, missing_inputs, announced_at, ready_at, ensured_at, sealed_at,
       resolved_at, credentials_at, credentials_until, staged_at, staged_seconds,
       staged_cold_bytes, stored_at, stored_seconds
FROM storage.attempts
"""
# neither within a place nor within a task is a number used twice: a re-created run may have the task's key with
# another place, or the place under another run id
_OPEN = """
INSERT INTO storage.attempts (place, generation, team, dag_id, run_id, task_id, map_index, run_started_at, try_number,
                              logical_date, run_after, declaration, failed_retention, announced_at)
SELECT $1, 1 + coalesce(max(generation), 0), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13
FROM storage.attempts
WHERE place = $1 OR (team, dag_id, run_id, task_id, map_index) = ($2, $3, $4, $5, $6)
RETURNING generation
"""
_OPEN_VERSIONS = """
INSERT INTO storage.versions (path, place, generation, output, retention)
SELECT path, $1, $2, output, retention FROM unnest($3::text[], $4::text[], $5::text[]) AS t (path, output, retention)
"""
# A try that a later one may go on with is not over because its worker was lost, but once a later one has ended for good
# or the run has.
_ENDED_UNSEALED = """
SELECT a.*, a.declaration::text AS declaration_text, a.inputs::text AS inputs_text, e.state AS ended
FROM storage.attempts a
JOIN storage.ends e USING (team, dag_id, run_id, task_id, map_index, run_started_at, try_number)
WHERE a.state IN ('announced', 'ready') AND e.ended_at <= $1
  AND NOT EXISTS (SELECT FROM storage.versions v
                  WHERE (v.place, v.generation) = (a.place, a.generation) AND v.state <> 'open') AND (
    NOT a.adoptable OR e.state <> 'up_for_retry'
    OR EXISTS (SELECT FROM storage.ends l
               WHERE (l.team, l.dag_id, l.run_id, l.task_id, l.map_index, l.run_started_at)
                   = (a.team, a.dag_id, a.run_id, a.task_id, a.map_index, a.run_started_at)
                 AND l.try_number > a.try_number AND l.state <> 'up_for_retry')
    OR EXISTS (SELECT FROM storage.runs r
               WHERE (r.team, r.dag_id, r.run_id) = (a.team, a.dag_id, a.run_id)
                 AND (r.run_started_at > a.run_started_at
                      OR r.run_started_at = a.run_started_at AND r.finished_at IS NOT NULL)))
ORDER BY a.announced_at LIMIT $2
"""
_STAGED = """
UPDATE storage.attempts SET staged_at = $3, staged_seconds = $4, staged_cold_bytes = $5
WHERE (place, generation) = ($1, $2)
"""
_STORED = "UPDATE storage.attempts SET stored_at = $3, stored_seconds = $4 WHERE (place, generation) = ($1, $2)"


async def lock(connection: Connection, place: str) -> None:
    """Until the transaction ends nobody else opens, takes or seals generations of this place."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", place)


async def of_task(connection: Connection, task: TaskKey) -> list[Attempt]:
    """Every attempt of the task that was not dropped, in the order of tries."""
    rows: list[Row] = await connection.fetch(
        _ROW + "WHERE (team, dag_id, run_id, task_id, map_index) = ($1, $2, $3, $4, $5) AND state <> 'dropped' "
        "ORDER BY run_started_at, try_number NULLS FIRST",
        *task_columns(task),
    )
    return [attempt_of(row) for row in rows]


async def of_token(connection: Connection, digest: bytes, now: datetime) -> Attempt | None:
    """Whose token it is, None where it is unknown or has expired."""
    row = await connection.fetchrow(
        _ROW + "JOIN storage.tokens USING (place, generation) WHERE digest = $1 AND expires_at > $2", digest, now
    )
    return None if row is None else attempt_of(row)


async def find(
    connection: Connection, team: str, dag_id: str | None, run_id: str | None, task_id: str | None, limit: int
) -> list[Attempt]:
    """The newest *limit* generations of the team (of the DAG, the run, the task), oldest first; dropped ones too."""
    rows: list[Row] = await connection.fetch(
        _ROW + "WHERE team = $1 AND ($2::text IS NULL OR dag_id = $2) AND ($3::text IS NULL OR run_id = $3) "
        "AND ($4::text IS NULL OR task_id = $4) ORDER BY announced_at DESC, place DESC, generation DESC LIMIT $5",
        team, dag_id, run_id, task_id, limit,
    )  # fmt: skip
    return [attempt_of(row) for row in reversed(rows)]


async def open_attempt(
    connection: Connection, wanted: Wanted, *, retention: str, failed_retention: str, now: datetime
) -> Attempt:
    """A new generation with a version per output. Call with the place locked."""
    generation: int = await connection.fetchval(
        _OPEN, wanted.place, *task_columns(wanted.task), wanted.run_started_at, wanted.try_number, wanted.logical_date,
        wanted.run_after, wanted.declaration.model_dump_json(), failed_retention, now,
    )  # fmt: skip
    row = await connection.fetchrow(_ROW + "WHERE (place, generation) = ($1, $2)", wanted.place, generation)
    assert row is not None
    attempt = attempt_of(row)
    declared = wanted.declaration.outputs
    await connection.execute(
        _OPEN_VERSIONS, wanted.place, generation, list(attempt.paths.values()), list(attempt.paths),
        [declared[name].retention or retention for name in attempt.paths],
    )  # fmt: skip
    return attempt


async def take(connection: Connection, attempt: Attempt, try_number: int, declaration: TaskDeclaration) -> bool:
    """Let try *try_number* have an announced generation; False if its outputs differ, so that it needs its own."""
    if {name: o.retention for name, o in attempt.declaration.outputs.items()} != {
        name: o.retention for name, o in declaration.outputs.items()
    }:
        return False
    await connection.execute(
        "UPDATE storage.attempts SET try_number = $3, declaration = $4::jsonb, epoch = epoch + 1 "
        "WHERE (place, generation) = ($1, $2)",
        attempt.place, attempt.generation, try_number, declaration.model_dump_json(),
    )  # fmt: skip
    return True


async def claim(
    connection: Connection, attempt: Attempt, *, ensured_at: datetime | None = None, over: bool = False
) -> Attempt:
    """Take the work on a row over: whoever held it before can't keep its outcome any more.

    A place that is made needs no work outside, so several may find it ready at once, unless *over*.
    """
    row = await connection.fetchrow(
        "UPDATE storage.attempts SET epoch = epoch + CASE WHEN state = 'announced' OR $4 THEN 1 ELSE 0 END, "
        "ensured_at = coalesce(ensured_at, $3) "
        "WHERE (place, generation) = ($1, $2) RETURNING *, declaration::text AS declaration_text, "
        "inputs::text AS inputs_text",
        attempt.place, attempt.generation, ensured_at, over,
    )  # fmt: skip
    assert row is not None
    return attempt_of(row, suffix="_text")


async def held(connection: Connection, attempt: Attempt) -> Attempt | None:
    """The row, locked, if its epoch is still that of *attempt*; None if somebody took it over."""
    row = await connection.fetchrow(
        _ROW + "WHERE (place, generation) = ($1, $2) AND epoch = $3 FOR UPDATE",
        attempt.place, attempt.generation, attempt.epoch,
    )  # fmt: skip
    return None if row is None else attempt_of(row)


async def set_ready(connection: Connection, attempt: Attempt, now: datetime) -> None:
    """The place is made."""
    await connection.execute(
        "UPDATE storage.attempts SET state = 'ready', ready_at = coalesce(ready_at, $3) "
        "WHERE (place, generation) = ($1, $2) AND state = 'announced'",
        attempt.place, attempt.generation, now,
    )  # fmt: skip


async def set_inputs(
    connection: Connection, attempt: Attempt, inputs: dict[str, tuple[InputVersion, ...]], missing: Sequence[str],
    now: datetime,
) -> None:  # fmt: skip
    """What the try reads, for good."""
    await connection.execute(
        "UPDATE storage.attempts SET inputs = $3::jsonb, missing_inputs = $4, resolved_at = $5 "
        "WHERE (place, generation) = ($1, $2)",
        attempt.place, attempt.generation, inputs_json(inputs), list(missing), now,
    )  # fmt: skip


async def set_credentials(connection: Connection, attempt: Attempt, given_at: datetime, until: datetime) -> None:
    """The try was given credentials."""
    await connection.execute(
        "UPDATE storage.attempts SET credentials_at = $3, credentials_until = $4 "
        "WHERE (place, generation) = ($1, $2)",
        attempt.place, attempt.generation, given_at, until,
    )  # fmt: skip


async def set_carried(connection: Connection, attempt: Attempt, carried: Carried, now: datetime) -> None:
    """The try's data was carried in or out; told again, the last word counts."""
    told = (attempt.place, attempt.generation, now, carried.seconds)
    if carried.way == "in":
        await connection.execute(_STAGED, *told, carried.cold_bytes)
    else:
        await connection.execute(_STORED, *told)


async def set_sealed(connection: Connection, attempt: Attempt, outcome: str, now: datetime) -> None:
    """The try is over."""
    await connection.execute(
        "UPDATE storage.attempts SET state = 'sealed', outcome = $3, sealed_at = $4, epoch = epoch + 1 "
        "WHERE (place, generation) = ($1, $2)",
        attempt.place, attempt.generation, outcome, now,
    )  # fmt: skip


async def drop(connection: Connection, attempt: Attempt, reason: str, now: datetime) -> None:
    """Nobody will have this generation; its number is not used again."""
    key = (attempt.place, attempt.generation)
    await connection.execute(
        "UPDATE storage.attempts SET state = 'dropped', epoch = epoch + 1 WHERE (place, generation) = ($1, $2)", *key
    )
    await connection.execute(
        "UPDATE storage.versions SET state = 'cleared', reason = $3, cleared_at = $4, due_at = NULL "
        "WHERE (place, generation) = ($1, $2)",
        *key, reason, now,
    )  # fmt: skip


async def unused(connection: Connection, due_before: datetime, limit: int) -> list[Attempt]:
    """Announced generations no try came for, and whose run is over."""
    rows: list[Row] = await connection.fetch(
        _ROW + "AS a WHERE try_number IS NULL AND state IN ('announced', 'ready') AND EXISTS ("
        "SELECT FROM storage.versions v WHERE (v.place, v.generation) = (a.place, a.generation) AND v.due_at <= $1) "
        "ORDER BY announced_at LIMIT $2",
        due_before, limit,
    )  # fmt: skip
    return [attempt_of(row) for row in rows]


async def ended_unsealed(connection: Connection, ended_before: datetime, limit: int) -> list[tuple[Attempt, str]]:
    """Attempts whose try ended without a seal and can be sealed, with the state it ended in."""
    rows: list[Row] = await connection.fetch(_ENDED_UNSEALED, ended_before, limit)
    return [(attempt_of(row, suffix="_text"), row["ended"]) for row in rows]


def attempt_of(row: Row, suffix: str = "") -> Attempt:
    """One row as a value; *suffix* names the text forms of the JSON columns."""
    names = ("place", "generation", "run_started_at", "try_number", "run_after", "logical_date", "state", "outcome",
             "epoch", "failed_retention", "announced_at", "ready_at", "ensured_at", "sealed_at", "resolved_at",
             "credentials_at", "credentials_until", "staged_at", "staged_seconds", "staged_cold_bytes", "stored_at",
             "stored_seconds")  # fmt: skip
    return Attempt(
        task=task_of(row),
        declaration=TaskDeclaration.model_validate_json(row["declaration" + suffix]),
        inputs=inputs_of(row["inputs" + suffix]),
        missing_inputs=tuple(row["missing_inputs"]),
        **{name: row[name] for name in names},
    )
