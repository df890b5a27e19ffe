"""What every route asks with: the ports, the names, and who is looking."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Query
from outrider_chassis.http import Caller, ProblemError
from outrider_contracts.names import TeamId

from lineage.domain.names import Names
from lineage.domain.walk import GraphNode, Viewer
from lineage.ports import Graph, History, Readers, Teams

SeenBy = Annotated[TeamId | None, Query(description="as this team would see it; a team's own caller is that team")]


@dataclass(frozen=True)
class Asking:
    """The ports behind the routes."""

    names: Names
    graph: Graph
    history: History
    teams: Teams
    readers: Readers

    async def viewer(self, caller: Caller, seen_by: str | None = None) -> Viewer:
        """What *caller* may see; the platform's may ask as a team would see it."""
        team = caller.team or seen_by
        if team is None:
            return Viewer()
        readable = await self.teams.readable(team)
        return Viewer(team, frozenset((grant.from_, grant.output) for grant in readable))

    async def node(self, viewer: Viewer, text: str) -> GraphNode:
        """The node *text* means. Answers 404, the same for one that is not there and one that may not be seen."""
        node = await self.graph.find(candidates(self.names, text), text)
        if node is not None and viewer.sees(node.name) and (node.name.team or await self._touches(viewer, node)):
            return node
        raise ProblemError(
            404, "unknown-node", f"no job or dataset {text!r} is known to you.",
            "Name a job as team/dag/task and a dataset as team/dag/task/output; GET /v1/nodes?q=… searches.",
        )  # fmt: skip

    async def _touches(self, viewer: Viewer, node: GraphNode) -> bool:
        """An outside dataset is shown to a team whose own jobs read or write it."""
        if viewer.team is None:
            return True
        up = await self.graph.edges_at([node.id], "upstream", viewer.team, 1)
        down = await self.graph.edges_at([node.id], "downstream", viewer.team, 1)
        return any(viewer.sees_edge(edge) for edge in (*up, *down))


def candidates(names: Names, text: str) -> list[UUID]:
    """Ids of the nodes *text* may mean: an id, `team/dag/task`, or `team/dag/task/output`."""
    try:
        return [UUID(text)]
    except ValueError:
        pass
    match text.split("/"):
        case [team, dag_id, task_id]:
            return [names.job(team, dag_id, task_id).id, names.outside(team, task_id).id]
        case [team, dag_id, task_id, output]:
            return [names.output(team, dag_id, task_id, output).id]
    return []
