"""Who reads what a run wrote, in PostgreSQL."""

from collections import defaultdict

import asyncpg
from outrider_chassis.database import Pool
from outrider_contracts.keys import RunKey, TryKey

from lineage.domain.history import Reader
from lineage.domain.names import NodeName

_JOBS = """
SELECT e.source, e.declared, e.ran, e.last_at,
    o.kind AS o_kind, o.team AS o_team, o.namespace AS o_namespace, o.name AS o_name, o.dag_id AS o_dag_id,
    o.task_id AS o_task_id, o.output AS o_output,
    j.kind AS j_kind, j.team AS j_team, j.namespace AS j_namespace, j.name AS j_name, j.dag_id AS j_dag_id,
    j.task_id AS j_task_id, j.output AS j_output
FROM lineage.nodes o JOIN lineage.edges e ON e.source = o.id JOIN lineage.nodes j ON j.id = e.target
WHERE o.team = $1 AND o.dag_id = $2 AND o.kind = 'dataset'
ORDER BY o.task_id, o.output, j.team, j.name LIMIT $3
"""
_TRIES = """
SELECT DISTINCT dataset, team, dag_id, run_id, task_id, map_index, try_number FROM lineage.reads
WHERE dataset = ANY($1::uuid[]) AND from_run_id = $2
ORDER BY team, dag_id, run_id, task_id, map_index, try_number LIMIT $3
"""


class PostgresReaders:
    """The `Readers` on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of_run(self, run: RunKey, limit: int) -> list[Reader]:
        jobs = await self._pool.fetch(_JOBS, run.team, run.dag_id, limit)
        tries: defaultdict[object, list[TryKey]] = defaultdict(list)
        for row in await self._pool.fetch(_TRIES, list({row["source"] for row in jobs}), run.run_id, limit):
            one = TryKey(**{name: row[name] for name in TryKey.model_fields})
            tries[row["dataset"], one.team, one.dag_id, one.task_id].append(one)
        return [
            Reader(
                output=_node(row, "o_"), job=_node(row, "j_"), declared=row["declared"], ran=row["ran"],
                last_at=row["last_at"],
                tries=tuple(tries[row["source"], row["j_team"], row["j_dag_id"], row["j_task_id"]]),
            )
            for row in jobs
        ]  # fmt: skip


def _node(row: asyncpg.Record, prefix: str) -> NodeName:
    names = ("kind", "team", "namespace", "name", "dag_id", "task_id", "output")
    return NodeName(**{name: row[prefix + name] for name in names})
