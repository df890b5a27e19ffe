"""What lineage needs from outside, as promises."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.tenants import Acceptance, TeamStatus

from lineage.domain.history import NodeHistory, Reader, ReportedRun, RunHistory
from lineage.domain.said import Saying
from lineage.domain.tables import Changes
from lineage.domain.tries import Run, Try
from lineage.domain.walk import Direction, GraphEdge, GraphNode

Edge = tuple[UUID, UUID]
"""Source and target."""


class Facts(Protocol):
    """What is known, as of one transaction."""

    async def merge(self, changes: Changes) -> list[Edge]:
        """Merge rows; gives the edges nobody had seen. Merging again, or in another order, changes nothing."""

    async def tries(self, keys: Iterable[TryKey]) -> list[Try]:
        """The tries of *keys*, whole."""

    async def runs(self, keys: Iterable[RunKey]) -> list[Run]:
        """Every start of the runs of *keys*."""


class Sayings(Protocol):
    """What was said already."""

    async def said(self, ol_run_ids: Sequence[UUID]) -> dict[UUID, frozenset[Saying]]:
        """What was said of each run."""

    async def say_once(self, sayings: Iterable[Saying]) -> set[Saying]:
        """Enter *sayings*; gives those nobody has said before."""


class Waits(Protocol):
    """Tries whose end is known and whose seal is not."""

    async def wait_for_seals(self, tries: Iterable[TryKey], settle: timedelta) -> None:
        """Come back to *tries* after *settle*; a wait that has begun is not prolonged."""

    async def stop_waiting(self, tries: Iterable[TryKey]) -> None:
        """There is nothing to wait for any more."""

    async def take_due(self) -> list[TryKey]:
        """Some of the tries whose wait is over; each is given to one caller."""


class Record(Facts, Sayings, Waits, Protocol):
    """All of it, in one transaction."""


class Teams(Protocol):
    """Teams as their status topic tells of them."""

    async def get(self, team: str) -> TeamStatus | None:
        """The team's status; None while the team is not known."""

    async def readable(self, team: str) -> Sequence[Acceptance]:
        """Outputs of other teams that *team* may read: grants with both sides."""


class Graph(Protocol):
    """The graph as it stands."""

    async def find(self, candidates: Sequence[UUID], text: str) -> GraphNode | None:
        """The node under one of the ids, else the one whose namespace and name, joined by a slash, are *text*."""

    async def edges_at(
        self, nodes: Sequence[UUID], direction: Direction, team: str | None, limit: int
    ) -> list[GraphEdge]:
        """Edges that lead up- or downstream from *nodes*, at most *limit*, those of *team*'s jobs first."""

    async def newest_edges(self, team: str | None, limit: int) -> list[GraphEdge]:
        """Edges of *team*'s jobs and datasets, or all; those seen last come first."""

    async def search(self, text: str, team: str | None, limit: int) -> list[GraphNode]:
        """Nodes of *team*, or all, whose name holds *text*."""


class History(Protocol):
    """What happened, run by run."""

    async def run(self, run: RunKey, limit: int) -> RunHistory | None:
        """A run with its tries, at most *limit*; None if it was never heard of."""

    async def newest_runs(self, team: str, dag_id: str, limit: int) -> list[Run]:
        """The newest runs of a DAG, newest first; every start of a run is one."""

    async def identify(self, ol_run_id: UUID) -> RunKey | TryKey | ReportedRun | None:
        """What an OpenLineage run id stands for."""

    async def of_node(self, node: UUID, limit: int) -> NodeHistory:
        """The newest tries of a job, or versions of a dataset."""


class Readers(Protocol):
    """Who reads what a run wrote."""

    async def of_run(self, run: RunKey, limit: int) -> list[Reader]:
        """Tasks that read outputs of the run's DAG, by declaration or deed, with those tries that read this run's."""
