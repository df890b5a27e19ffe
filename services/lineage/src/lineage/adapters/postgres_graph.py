"""The graph in PostgreSQL: an edge table with an index in each direction. One statement per level of a walk."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from outrider_chassis.database import Pool

from lineage.adapters.rows import node_of
from lineage.domain.walk import Direction, GraphEdge, GraphNode

_EDGE = """
SELECT e.team AS edge_team, e.ran, e.declared, e.reported, e.last_at AS edge_last_at,
    s.id AS s_id, s.kind AS s_kind, s.team AS s_team, s.namespace AS s_namespace, s.name AS s_name,
    s.dag_id AS s_dag_id, s.task_id AS s_task_id, s.output AS s_output, s.operator AS s_operator,
    s.last_at AS s_last_at,
    t.id AS t_id, t.kind AS t_kind, t.team AS t_team, t.namespace AS t_namespace, t.name AS t_name,
    t.dag_id AS t_dag_id, t.task_id AS t_task_id, t.output AS t_output, t.operator AS t_operator,
    t.last_at AS t_last_at
FROM lineage.edges e JOIN lineage.nodes s ON s.id = e.source JOIN lineage.nodes t ON t.id = e.target
"""
_ORDER = " ORDER BY (e.team = $2) DESC NULLS LAST, e.source, e.target LIMIT $3"
_UPSTREAM = f"{_EDGE} WHERE e.target = ANY($1::uuid[]) {_ORDER}"
_DOWNSTREAM = f"{_EDGE} WHERE e.source = ANY($1::uuid[]) {_ORDER}"
_NEWEST = f"""{_EDGE} WHERE $1::text IS NULL OR e.team = $1 OR s.team = $1 OR t.team = $1
ORDER BY e.last_at DESC NULLS LAST, e.source, e.target LIMIT $2"""
_FIND = """
SELECT * FROM lineage.nodes
WHERE id = ANY($1::uuid[]) OR (namespace || '/' || name = $2)
ORDER BY (id = ANY($1::uuid[])) DESC, kind LIMIT 1
"""
_SEARCH = """
SELECT * FROM lineage.nodes
WHERE ($2::text IS NULL OR team = $2)
    AND position(lower($1) IN lower(CASE WHEN dag_id = '' THEN namespace || '/' || name
        ELSE concat_ws('/', team, dag_id, task_id, nullif(output, '')) END)) > 0
ORDER BY last_at DESC NULLS LAST, name LIMIT $3
"""


class PostgresGraph:
    """The `Graph` on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, candidates: Sequence[UUID], text: str) -> GraphNode | None:
        row = await self._pool.fetchrow(_FIND, list(candidates), text)
        return None if row is None else graph_node(row)

    async def edges_at(
        self, nodes: Sequence[UUID], direction: Direction, team: str | None, limit: int
    ) -> list[GraphEdge]:
        statement = _UPSTREAM if direction == "upstream" else _DOWNSTREAM
        return [_edge(row) for row in await self._pool.fetch(statement, list(nodes), team, limit)]

    async def newest_edges(self, team: str | None, limit: int) -> list[GraphEdge]:
        return [_edge(row) for row in await self._pool.fetch(_NEWEST, team, limit)]

    async def search(self, text: str, team: str | None, limit: int) -> list[GraphNode]:
        return [graph_node(row) for row in await self._pool.fetch(_SEARCH, text, team, limit)]


def graph_node(row: asyncpg.Record) -> GraphNode:
    """A row of `lineage.nodes`."""
    return GraphNode(row["id"], node_of(row), row["operator"], row["last_at"])


def _edge(row: asyncpg.Record) -> GraphEdge:
    return GraphEdge(
        source=_end(row, "s_"),
        target=_end(row, "t_"),
        team=row["edge_team"],
        ran=row["ran"],
        declared=row["declared"],
        reported=row["reported"],
        last_at=row["edge_last_at"],
    )


def _end(row: asyncpg.Record, prefix: str) -> GraphNode:
    name = node_of({key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)})
    return GraphNode(row[f"{prefix}id"], name, row[f"{prefix}operator"], row[f"{prefix}last_at"])
