"""Reads tries and runs back from PostgreSQL."""

from collections.abc import Iterable

from outrider_bus.ports import Connection
from outrider_contracts.keys import RunKey, TryKey

from lineage.adapters.rows import by_row, row_key, run_of, try_row
from lineage.domain.tries import Run, Try, one_per_try

_TRY = "team, dag_id, run_id, task_id, map_index, try_number"
_GIVEN_TRIES = """
unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
    AS g (team, dag_id, run_id, task_id, map_index, try_number)
"""
_TRIES = f"SELECT t.* FROM lineage.tries t JOIN {_GIVEN_TRIES} USING ({_TRY})"  # noqa: S608  names are ours
_IO = """
SELECT v.*, n.kind, n.team AS node_team, n.namespace, n.name AS node_name, n.dag_id AS node_dag_id,
    n.task_id AS node_task_id, n.output AS node_output
FROM lineage.{table} v JOIN {given} USING ({key}) JOIN lineage.nodes n ON n.id = v.dataset
"""
_READS = _IO.format(table="reads", given=_GIVEN_TRIES, key=_TRY)
_WRITES = _IO.format(table="writes", given=_GIVEN_TRIES, key=_TRY)
_RUNS = """
SELECT r.* FROM lineage.runs r
JOIN unnest($1::text[], $2::text[], $3::text[]) AS g (team, dag_id, run_id) USING (team, dag_id, run_id)
ORDER BY r.run_started_at
"""
_TRIES_OF_RUN = """
SELECT DISTINCT team, dag_id, run_id, task_id, map_index, try_number FROM lineage.tries
WHERE (team, dag_id, run_id) = ($1, $2, $3) ORDER BY task_id, map_index, try_number LIMIT $4
"""


async def load_tries(connection: Connection, keys: Iterable[TryKey]) -> list[Try]:
    """The tries of *keys*, whole: all their rows, what they read and wrote, the run they began in."""
    wanted = sorted(set(keys), key=lambda key: (key.record_key, key.label, key.try_number))
    if not wanted:
        return []
    given = [
        [k.team for k in wanted], [k.dag_id for k in wanted], [k.run_id for k in wanted], [k.task_id for k in wanted],
        [k.map_index for k in wanted], [k.try_number for k in wanted],
    ]  # fmt: skip
    reads = by_row(await connection.fetch(_READS, *given))
    writes = by_row(await connection.fetch(_WRITES, *given))
    rows = [try_row(row, reads[row_key(row)], writes[row_key(row)]) for row in await connection.fetch(_TRIES, *given)]
    runs = await load_runs(connection, {row.task.run for row in rows})
    return one_per_try(rows, {(run.run, run.run_started_at): run.ol_run_id for run in runs})


async def tries_of_run(connection: Connection, run: RunKey, limit: int) -> list[TryKey]:
    """Keys of the tries of a run, at most *limit*."""
    rows = await connection.fetch(_TRIES_OF_RUN, run.team, run.dag_id, run.run_id, limit)
    return [TryKey(**dict(row)) for row in rows]


async def load_runs(connection: Connection, keys: Iterable[RunKey]) -> list[Run]:
    """Every start of the runs of *keys*, oldest first."""
    wanted = sorted(set(keys), key=lambda key: key.record_key)
    if not wanted:
        return []
    rows = await connection.fetch(
        _RUNS, [k.team for k in wanted], [k.dag_id for k in wanted], [k.run_id for k in wanted]
    )
    return [run_of(row) for row in rows]
