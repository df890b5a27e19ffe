"""An attempt: one try of a task and the one generation of its place that it writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.environments import InputVersion, OutputPlace, VersionKey
from outrider_contracts.keys import TaskKey, TryKey
from outrider_contracts.places import generation_path, place
from outrider_contracts.tenants import TeamSpec

AttemptState = Literal["announced", "ready", "sealed", "dropped"]
Inputs = Mapping[str, tuple[InputVersion, ...]]


@dataclass(frozen=True)
class Wanted:
    """An environment somebody wants: the task, its run's start and dates, what it declares, the try (None: ahead)."""

    task: TaskKey
    run_started_at: datetime
    run_after: datetime
    logical_date: datetime | None
    declaration: TaskDeclaration
    try_number: int | None = None

    @property
    def place(self) -> str:
        """The place shared by all tries of the task."""
        return place(self.task, self.logical_date)


@dataclass(frozen=True)
class Attempt:
    """A generation of a place, as it stands."""

    place: str
    generation: int
    task: TaskKey
    run_started_at: datetime
    try_number: int | None
    run_after: datetime
    logical_date: datetime | None
    declaration: TaskDeclaration
    state: AttemptState
    outcome: Literal["success", "failed"] | None
    epoch: int
    failed_retention: str
    inputs: Inputs | None
    missing_inputs: tuple[str, ...]
    announced_at: datetime
    ready_at: datetime | None
    ensured_at: datetime | None
    sealed_at: datetime | None
    resolved_at: datetime | None = None
    credentials_at: datetime | None = None
    credentials_until: datetime | None = None
    staged_at: datetime | None = None
    staged_seconds: float | None = None
    staged_cold_bytes: int | None = None
    stored_at: datetime | None = None
    stored_seconds: float | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        """Tries of one task in the order they began."""
        return self.run_started_at, self.try_number or 0

    @property
    def tried(self) -> TryKey:
        """The try; number 0 while none has begun."""
        return self.task.attempt(self.try_number or 0)

    @property
    def paths(self) -> dict[str, str]:
        """Output name -> directory of this generation."""
        return {name: generation_path(self.place, name, self.generation) for name in self.declaration.outputs}

    @property
    def outputs(self) -> dict[str, OutputPlace]:
        """Where this try writes what."""
        declared = self.declaration.outputs
        return {name: OutputPlace(path=path, **declared[name].model_dump()) for name, path in self.paths.items()}

    def version(self, output: str) -> VersionKey:
        """The natural key of one version of this generation."""
        return VersionKey(**self.task.model_dump(), output=output, generation=self.generation)


def superseding(order: tuple[datetime, int], others: Iterable[Attempt]) -> Attempt | None:
    """A later try of the same task that *asked* for its environment, None if there is none.

    A mere event does not fence anybody: code in a shared worker could forge one, but not an authenticated request.
    """
    return next((other for other in others if other.ensured_at is not None and other.order > order), None)


def went_on(attempt: Attempt, known: Iterable[Attempt]) -> bool:
    """Whether a try that ended well did so with what an earlier one of its run's start was given: it never asked for
    an environment, and that one has been sealed as a success."""
    return attempt.ensured_at is None and any(
        earlier.run_started_at == attempt.run_started_at and earlier.order < attempt.order
        and earlier.outcome == "success"
        for earlier in known if earlier.try_number is not None
    )  # fmt: skip


def default_retention(spec: TeamSpec | None, fallback: str) -> str:
    """Retention of the team's outputs that declare none."""
    return fallback if spec is None else spec.storage.retention.default


def failed_retention(spec: TeamSpec | None, fallback: str) -> str:
    """Retention of what failed or given-up tries of the team left."""
    return fallback if spec is None else spec.storage.retention.failed


def connections(declaration: TaskDeclaration) -> tuple[dict[str, str], dict[str, str]]:
    """Sources and destinations by name, as connection ids."""
    return (
        {name: source.connection for name, source in declaration.sources.items()},
        {name: source.connection for name, source in declaration.destinations.items()},
    )
