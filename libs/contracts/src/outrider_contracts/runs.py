"""What the lineage service answers of runs: how they went, what exactly each try read and wrote, who reads it."""

from uuid import UUID

from pydantic import Field

from outrider_contracts.keys import TryKey
from outrider_contracts.model import Instant, Model


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
    run_started_at: Instant = Field(description="the start of the run that it began in")
    openlineage_run_id: UUID
    state: str
    started_at: Instant | None
    ended_at: Instant | None
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
    started_at: Instant
    ended_at: Instant | None
    state: str
    clear_number: int
    run_type: str
    logical_date: Instant | None
    deleted_at: Instant | None


class ReaderAnswer(Model):
    """A task that reads an output of the run's DAG. Without `job` it belongs to another team.

    `tries` are those that were given a version of this very run: none yet where it is only declared.
    """

    task_id: str
    output: str
    team: str
    job: str | None
    declared: bool
    ran: bool
    last_at: Instant | None = None
    tries: tuple[TryKey, ...] = ()
    tries_in_all: int = 0


class RunAnswer(Model):
    """A run with its tries."""

    team: str
    dag_id: str
    run_id: str
    state: str
    starts: list[StartAnswer]
    tries: list[TryAnswer]
    truncated: bool = False
    readers: list[ReaderAnswer] = Field(default_factory=list, description="where they were asked for")


class RunsAnswer(Model):
    """The newest runs."""

    runs: list[StartAnswer]
