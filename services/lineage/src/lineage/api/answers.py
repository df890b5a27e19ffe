"""What the routes answer with."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from outrider_contracts.model import Model


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


class VersionAnswer(Model):
    """A version read or written. Without `dataset` it belongs to another team and was not granted."""

    name: str
    dataset: str | None
    team: str
    generation: int | None = None
    partition: str = ""
    path: str = ""
    files: int | None = None
    bytes: int | None = None


class TryAnswer(Model):
    """A try of a task: how it went, exactly what it read and wrote."""

    team: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    openlineage_run_id: UUID
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    operator: str
    error_class: str = ""
    refusal: str = ""
    sealed: str = ""
    inputs: list[VersionAnswer]
    outputs: list[VersionAnswer]


class StartAnswer(Model):
    """One start of a run: the first, or again after tasks of it were cleared."""

    team: str
    dag_id: str
    run_id: str
    openlineage_run_id: UUID
    started_at: datetime
    ended_at: datetime | None
    state: str
    clear_number: int
    run_type: str
    logical_date: datetime | None
    deleted_at: datetime | None


class RunAnswer(Model):
    """A run with its tries."""

    team: str
    dag_id: str
    run_id: str
    state: str
    starts: list[StartAnswer]
    tries: list[TryAnswer]
    truncated: bool = False


class RunsAnswer(Model):
    """The newest runs."""

    runs: list[StartAnswer]


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
