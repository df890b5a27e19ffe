"""Changes of the lineage graph. Topic `outrider.lineage.edges.v1`. (`outrider.lineage.v1` is plain OpenLineage.)"""

from datetime import datetime
from typing import ClassVar, Literal

from outrider_contracts.event import Event
from outrider_contracts.model import Instant, Model
from outrider_contracts.names import TeamId


class Node(Model):
    """An OpenLineage job or dataset, and the team it belongs to."""

    kind: Literal["job", "dataset"]
    namespace: str
    name: str
    team: TeamId | None = None


class EdgeAdded(Event):
    """Data flows from `source` to `target`: seen for the first time in a successful run (or declared)."""

    type: ClassVar[str] = "outrider.lineage.edge-added.v1"
    topic: ClassVar[str] = "outrider.lineage.edges.v1"
    source: Node
    target: Node
    basis: Literal["run", "declared", "reported"] = "run"
    first_at: Instant

    def key(self) -> str:
        job = self.source if self.source.kind == "job" else self.target
        return f"{job.namespace}/{job.name}"

    def identity(self) -> tuple[object, ...]:
        return (self.source.namespace, self.source.name, self.target.namespace, self.target.name)

    def team_id(self) -> str:
        return self.target.team or self.source.team or ""

    def occurred_at(self) -> datetime | None:
        return self.first_at


class EdgeDropped(EdgeAdded):
    """The edge is declared no more and no run in the window shows it."""

    type: ClassVar[str] = "outrider.lineage.edge-dropped.v1"
    last_at: Instant

    def identity(self) -> tuple[object, ...]:
        return (*super().identity(), self.last_at)
