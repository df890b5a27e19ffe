"""What storage says of environments and versions. Topic `outrider.environments.v1`."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from outrider_contracts.event import Event
from outrider_contracts.keys import TaskKey, TryKey
from outrider_contracts.model import Count, Instant, Model, Size

Reason = Literal[
    "unknown-team", "suspended-team", "not-granted", "input-missing", "input-cleared", "retention-conflict",
    "superseded", "bad-declaration", "output-missing",
]  # fmt: skip


class VersionKey(TaskKey):
    """One generation of one output of a task."""

    output: str
    generation: Count = Field(ge=1)


class OutputPlace(Model):
    """Where a try writes one output."""

    path: str
    retention: str | None = None
    required: bool = True
    format: str | None = None


class InputVersion(Model):
    """A version an input was resolved to."""

    version: VersionKey
    path: str
    format: str | None = Field(default=None, description="the word its producer declared")
    own_part: bool = Field(
        default=False, description="the reading instance's own part: its files lie in the input's directory itself"
    )


class EnvironmentEvent(Event):
    """A fact of one task's environment, in one partition with the other facts of its run."""

    topic: ClassVar[str] = "outrider.environments.v1"

    def traced_run(self) -> str:
        return self.key()


class EnvironmentReady(EnvironmentEvent):
    """The task's place is there and its resolvable inputs are resolved. `try_number` 0: made ahead of the first try."""

    type: ClassVar[str] = "outrider.environment.ready.v1"
    task: TryKey
    run_started_at: Instant
    generation: Count
    place: str
    inputs: dict[str, tuple[InputVersion, ...]] = Field(default_factory=dict)
    outputs: dict[str, OutputPlace] = Field(default_factory=dict)
    sources: dict[str, str] = Field(default_factory=dict)
    destinations: dict[str, str] = Field(default_factory=dict)
    ready_at: Instant

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task, self.run_started_at, self.generation)

    def occurred_at(self) -> datetime | None:
        return self.ready_at


class EnvironmentRefused(EnvironmentEvent):
    """The task may not have what it asks for; `message` says why and `fix` what to do."""

    type: ClassVar[str] = "outrider.environment.refused.v1"
    task: TryKey
    run_started_at: Instant
    reason: Reason
    message: str
    fix: str = ""
    refused_at: Instant

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task, self.run_started_at, self.reason)

    def occurred_at(self) -> datetime | None:
        return self.refused_at


class Manifest(Model):
    """What one version holds; written last, it makes the directory a version."""

    class File(Model):
        """One file, its path relative to the version's directory."""

        path: str
        size: Size = Field(ge=0)
        sha256: str | None = None

    files: tuple[File, ...] = ()
    format: str | None = None

    @model_validator(mode="after")
    def _countable(self) -> "Manifest":
        if self.size >= 1 << 63:
            raise ValueError("its files have more bytes in all than fit into 64 bits")
        return self

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


class SealedOutput(Model):
    """Size of one sealed version."""

    version: VersionKey
    path: str
    files: Size
    bytes: Size
    expires: str = Field(description="the retention that applies: run, forever or a duration")
    format: str | None = None


class EnvironmentSealed(EnvironmentEvent):
    """What a try wrote is on record; its successful outputs are the current versions from now on."""

    type: ClassVar[str] = "outrider.environment.sealed.v1"
    task: TryKey
    run_started_at: Instant
    generation: Count
    outcome: Literal["success", "failed"]
    logical_date: Instant | None = None
    outputs: dict[str, SealedOutput] = Field(default_factory=dict)
    inputs: dict[str, tuple[InputVersion, ...]] = Field(default_factory=dict)
    sources: dict[str, str] = Field(default_factory=dict)
    destinations: dict[str, str] = Field(default_factory=dict)
    sealed_at: Instant

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task, self.run_started_at, self.generation, self.outcome)

    def occurred_at(self) -> datetime | None:
        return self.sealed_at


class VersionEvent(EnvironmentEvent):
    """A fact of one version."""

    version: VersionKey
    path: str
    reason: str

    def key(self) -> str:
        return self.version.record_key


class VersionDoomed(VersionEvent):
    """The version is out of reach and will be deleted not before `not_before`; until then it can be restored."""

    type: ClassVar[str] = "outrider.environment.doomed.v1"
    not_before: Instant
    doomed_at: Instant

    def identity(self) -> tuple[object, ...]:
        return (self.version, self.doomed_at)

    def occurred_at(self) -> datetime | None:
        return self.doomed_at


class VersionRestored(VersionEvent):
    """A doomed version was taken back before it was deleted."""

    type: ClassVar[str] = "outrider.environment.restored.v1"
    restored_at: Instant

    def identity(self) -> tuple[object, ...]:
        return (self.version, self.restored_at)

    def occurred_at(self) -> datetime | None:
        return self.restored_at


class VersionCleared(VersionEvent):
    """The version's bytes are gone."""

    type: ClassVar[str] = "outrider.environment.cleared.v1"
    objects: Size
    bytes: Size
    cleared_at: Instant

    def identity(self) -> tuple[object, ...]:
        return (self.version,)

    def occurred_at(self) -> datetime | None:
        return self.cleared_at
