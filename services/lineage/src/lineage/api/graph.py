"""Questions about the graph: what is up- and downstream of a node, what there is, what a node is."""

from typing import Annotated

from fastapi import APIRouter, Query
from outrider_chassis.http import CurrentCaller

from lineage.api.answers import GraphAnswer, NodeDetail, NodesAnswer
from lineage.api.asking import Asking, SeenBy
from lineage.api.spelling import graph_answer, node_answer, seen_answer, try_answer, version_state_answer
from lineage.domain.walk import Direction, SeenNode, Walk, survey

Limit = Annotated[int, Query(ge=1, le=5000, description="nodes at most")]
Depth = Annotated[int, Query(ge=1, le=100, description="levels at most")]


def graph_routes(asking: Asking) -> APIRouter:
    """The routes under /v1 that ask about the graph."""
    routes = APIRouter(prefix="/v1", tags=["graph"])

    @routes.get("/lineage/{direction}")
    async def walk(
        direction: Direction, node: str, caller: CurrentCaller, depth: Depth = 20, limit: Limit = 500,
        seen_by: SeenBy = None,
    ) -> GraphAnswer:  # fmt: skip
        """What *node* was made from, or what was made from it. Another team's nodes are masked unless granted."""
        viewer = await asking.viewer(caller, seen_by)
        root = await asking.node(viewer, node)
        walked = Walk(viewer, direction, limit)
        walked.start(root)
        while walked.frontier and walked.level < depth:
            walked.take(await asking.graph.edges_at(walked.frontier, direction, viewer.team, walked.budget))
        beyond = await asking.graph.edges_at(walked.frontier, direction, viewer.team, 1) if walked.frontier else []
        return graph_answer(walked, str(root.id), cut=any(viewer.sees_edge(edge) for edge in beyond))

    @routes.get("/graph")
    async def newest(caller: CurrentCaller, limit: Limit = 500) -> GraphAnswer:
        """The graph as the caller sees it, what was seen last first; `limit` counts edges."""
        viewer = await asking.viewer(caller)
        edges = await asking.graph.newest_edges(viewer.team, limit)
        return graph_answer(survey(viewer, edges), cut=len(edges) >= limit)

    @routes.get("/nodes")
    async def search(caller: CurrentCaller, q: Annotated[str, Query(max_length=200)], limit: Limit = 20) -> NodesAnswer:
        """Jobs and datasets whose name holds *q*."""
        found = await asking.graph.search(q, caller.team, limit)
        return NodesAnswer(nodes=[node_answer(node) for node in found])

    @routes.get("/node")
    async def detail(caller: CurrentCaller, node: str, limit: Limit = 10) -> NodeDetail:
        """A node with its newest tries (a job) or versions (a dataset)."""
        viewer = await asking.viewer(caller)
        found = await asking.node(viewer, node)
        history = await asking.history.of_node(found.id, limit)
        own = viewer.team in (None, found.name.team)
        return NodeDetail(
            node=seen_answer(SeenNode(str(found.id), found.name.kind, found.name.team, 0, found)),
            tries=[try_answer(one, viewer) for one in history.tries] if own else [],
            versions=[version_state_answer(version) for version in history.versions],
        )

    return routes
