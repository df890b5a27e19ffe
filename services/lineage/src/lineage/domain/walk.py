"""Walking the graph from a node, one level at a time, with a visited set, a budget, and another team's nodes masked.

The cost follows the size of the result, not of the graph. Pure: whoever walks asks for the edges of `frontier` and
hands them to `take`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from lineage.domain.names import NodeName

Direction = Literal["upstream", "downstream"]


@dataclass(frozen=True)
class GraphNode:
    """A node as it is kept."""

    id: UUID
    name: NodeName
    operator: str = ""
    last_at: datetime | None = None


@dataclass(frozen=True)
class GraphEdge:
    """An edge as it is kept, with the nodes at its ends; `team` is that of the job."""

    source: GraphNode
    target: GraphNode
    team: str
    ran: bool = False
    declared: bool = False
    reported: bool = False
    last_at: datetime | None = None


@dataclass(frozen=True)
class Viewer:
    """Who looks: one team with the outputs granted to it (team, dag/task/output), or the platform."""

    team: str | None = None
    granted: frozenset[tuple[str, str]] = frozenset()

    def sees(self, node: NodeName) -> bool:
        """Whether the node's name may be shown."""
        return self.team is None or node.team in ("", self.team) or (node.team, node.name) in self.granted

    def sees_edge(self, edge: GraphEdge) -> bool:
        """Edges of one's own jobs and datasets, and who writes what one was granted; not who else reads it."""
        if self.team is None or edge.team == self.team:
            return True
        writes = edge.target.name.kind == "dataset"
        dataset = edge.target.name if writes else edge.source.name
        return dataset.team == self.team or (writes and (dataset.team, dataset.name) in self.granted)


@dataclass(frozen=True)
class SeenNode:
    """A node as it is shown. A masked one has a meaningless id and no name."""

    id: str
    kind: str
    team: str
    level: int
    node: GraphNode | None = None


@dataclass(frozen=True)
class SeenEdge:
    """An edge between shown nodes."""

    source: str
    target: str
    edge: GraphEdge


@dataclass
class Walk:
    """What was seen so far and where to go next."""

    viewer: Viewer
    direction: Direction
    limit: int
    nodes: dict[UUID, SeenNode] = field(default_factory=dict)
    edges: dict[tuple[UUID, UUID], SeenEdge] = field(default_factory=dict)
    frontier: list[UUID] = field(default_factory=list)
    level: int = 0
    truncated: bool = False

    def start(self, node: GraphNode) -> None:
        """Begin at *node*, which the viewer sees."""
        self._see(node)

    @property
    def budget(self) -> int:
        """How many edges to ask for at most."""
        return 4 * self.limit

    def take(self, edges: Iterable[GraphEdge]) -> None:
        """Go one level on with the edges found at the frontier."""
        found = list(edges)
        self.truncated = self.truncated or len(found) >= self.budget
        self.frontier, self.level = [], self.level + 1
        for edge in found:
            if not self.viewer.sees_edge(edge):
                continue
            far = edge.source if self.direction == "upstream" else edge.target
            if far.id not in self.nodes:
                if len(self.nodes) >= self.limit:
                    self.truncated = True
                    continue
                self._see(far)
            ends = (self.nodes[edge.source.id].id, self.nodes[edge.target.id].id)
            self.edges[(edge.source.id, edge.target.id)] = SeenEdge(*ends, edge)

    def _see(self, node: GraphNode) -> None:
        if self.viewer.sees(node.name):
            self.nodes[node.id] = SeenNode(str(node.id), node.name.kind, node.name.team, self.level, node)
            self.frontier.append(node.id)
        else:
            masked = f"masked-{self.direction}-{len(self.nodes)}"
            self.nodes[node.id] = SeenNode(masked, node.name.kind, node.name.team, self.level)


def survey(viewer: Viewer, edges: Iterable[GraphEdge]) -> Walk:
    """Everything the viewer sees of *edges*, from nowhere in particular."""
    walk = Walk(viewer, "downstream", limit=0)
    for edge in edges:
        if viewer.sees_edge(edge):
            for node in (edge.source, edge.target):
                if node.id not in walk.nodes:
                    walk._see(node)
            ends = (walk.nodes[edge.source.id].id, walk.nodes[edge.target.id].id)
            walk.edges[(edge.source.id, edge.target.id)] = SeenEdge(*ends, edge)
    return walk
