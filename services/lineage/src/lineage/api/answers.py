"""What the routes answer with, besides runs and tries (`outrider_contracts.runs`)."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from outrider_contracts.model import Model
from outrider_contracts.runs import TryAnswer


class NodeAnswer(Model):
    """A job or dataset. A masked one belongs to another team: its id means nothing and it has no name."""

    id: str
    kind: Literal["job", "dataset"]
    team: str
    label: str
    level: int = 0
    masked: bool = False
    outside: bool = False
    namespace: str = ""
    name: str = ""
    dag_id: str = ""
    task_id: str = ""
    output: str = ""
    operator: str = ""
    last_at: datetime | None = None


class EdgeAnswer(Model):
    """Data flows from source to target."""

    source: str
    target: str
    ran: bool
    declared: bool
    reported: bool
    last_at: datetime | None


class GraphAnswer(Model):
    """A part of the graph. `truncated`: there is more than depth or limit let through."""

    root: str | None = None
    direction: str = ""
    nodes: list[NodeAnswer]
    edges: list[EdgeAnswer]
    truncated: bool = False


class ReportedRunAnswer(Model):
    """A run that a team's own job reported."""

    team: str
    openlineage_run_id: UUID
    job: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    inputs: list[str]
    outputs: list[str]


class VersionStateAnswer(Model):
    """A version of a dataset, and what became of it."""

    run_id: str
    map_index: int
    generation: int
    path: str
    state: str
    sealed_at: datetime | None
    not_kept_since: datetime | None = None
    files: int
    bytes: int
    readers: int


class NodeDetail(Model):
    """A node with what happened to it lately."""

    node: NodeAnswer
    tries: list[TryAnswer]
    versions: list[VersionStateAnswer]


class NodesAnswer(Model):
    """Nodes found by a search."""

    nodes: list[NodeAnswer]
