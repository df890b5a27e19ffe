"""What an explanation consists of."""

from typing import Literal

from pydantic import Field

from outrider_contracts.keys import RunKey
from outrider_contracts.model import Instant, Model

MomentKind = Literal[
    "run", "announced", "ready", "began", "asked", "waited", "refused", "inputs", "credentials", "staged", "stored",
    "ended", "sealed", "held", "doomed", "cleared",
]  # fmt: skip


class Subject(RunKey):
    """What is to be explained: a run, or one task of it. `map_index` None: every part of the task."""

    task_id: str | None = None
    map_index: int | None = None

    def concerns(self, task_id: str, map_index: int) -> bool:
        """Whether that task instance is part of what is asked about."""
        return self.task_id in (None, task_id) and self.map_index in (None, map_index)

    @property
    def label(self) -> str:
        """As people write it: `team/dag/run[/task[/map_index]]`."""
        part = "" if self.map_index is None or self.map_index < 0 else f"/{self.map_index}"
        return self.record_key + (f"/{self.task_id}{part}" if self.task_id else "")


class Moment(Model):
    """Something that happened, or is expected to."""

    at: Instant
    kind: MomentKind
    text: str
    task: str = Field(default="", description="task, or task[map_index]; empty for the run itself")
    try_number: int | None = None
    wrong: bool = False


class InputStory(Model):
    """What a try reads under one name."""

    task: str
    try_number: int | None
    name: str
    source: str = Field(description="the producing output: team/dag/task/output")
    versions: tuple[str, ...] = Field(default=(), description="directories of the versions, one per part")
    files: int = 0
    bytes: int = 0
    text: str


class OutputStory(Model):
    """One version that was written, what becomes of it, and who reads it."""

    task: str
    try_number: int | None
    output: str
    path: str
    generation: int
    state: str
    current: bool
    files: int | None = None
    bytes: int | None = None
    retention: str
    clears_at: Instant | None = None
    fate: str = Field(description="what becomes of it, when and why")
    held_by: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    fix: str = Field(default="", description="the command that changes its fate")


class Cause(Model):
    """What stands first in the row of what went wrong, or what is waited for."""

    kind: Literal["failed", "retrying", "waiting"]
    task: str
    text: str
    fix: tuple[str, ...] = ()
    at: Instant


class Explanation(Model):
    """The whole story of a run or a task, as of `as_of`."""

    subject: Subject
    as_of: Instant
    state: str
    over: bool
    cause: Cause | None = None
    moments: tuple[Moment, ...] = ()
    expected: tuple[Moment, ...] = ()
    inputs: tuple[InputStory, ...] = ()
    outputs: tuple[OutputStory, ...] = ()
    truncated: bool = Field(
        default=False, description="the run has more tries or generations than the 5,000 that were looked at"
    )
