"""What is told of runs, versions and nodes when somebody asks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider_contracts.keys import RunKey, TryKey

from lineage.domain.names import NodeName
from lineage.domain.tries import Run, Try


@dataclass(frozen=True)
class RunHistory:
    """A run: every start of it, and its tries."""

    run: RunKey
    starts: tuple[Run, ...]
    tries: tuple[Try, ...]
    truncated: bool = False

    @property
    def state(self) -> str:
        """State of its last start."""
        return self.starts[-1].state if self.starts else "running"


@dataclass(frozen=True)
class ReportedRun:
    """A run a team's own job reported."""

    team: str
    ol_run_id: UUID
    namespace: str
    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class VersionState:
    """A version of a dataset and what became of it."""

    run_id: str
    map_index: int
    generation: int
    path: str
    outcome: str
    sealed_at: datetime | None
    doomed_at: datetime | None
    restored_at: datetime | None
    cleared_at: datetime | None
    files: int = 0
    bytes: int = 0
    readers: int = 0

    @property
    def state(self) -> str:
        """cleared, doomed, sealed, or failed: what a failed try left behind."""
        if self.cleared_at is not None:
            return "cleared"
        if self.doomed_at is not None and (self.restored_at is None or self.restored_at < self.doomed_at):
            return "doomed"
        return "sealed" if self.outcome == "success" else "failed"


@dataclass(frozen=True)
class NodeHistory:
    """The newest tries of a job, or versions of a dataset."""

    tries: tuple[Try, ...] = ()
    versions: tuple[VersionState, ...] = ()


@dataclass(frozen=True)
class Reader:
    """A job that reads an output; `tries` are those that read the versions of the run that is asked about."""

    output: NodeName
    job: NodeName
    declared: bool
    ran: bool
    last_at: datetime | None = None
    tries: tuple[TryKey, ...] = ()
