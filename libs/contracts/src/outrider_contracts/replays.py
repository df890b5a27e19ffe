"""Replays, as operators ask for them and services answer: a plan first, then a job that can be watched and stopped."""

import hashlib
from typing import Literal

from pydantic import Field

from outrider_contracts.model import Instant, Model
from outrider_contracts.operations import Reason

ReplayMode = Literal["missing", "reapply"]
ReplayStatus = Literal["queued", "running", "done", "cancelled", "failed"]


class ReplayChoice(Model):
    """Which records of one topic a group handles again, and how. Several names of one kind mean any of them."""

    group: str
    topic: str = Field(default="", description="needed where the group hears several")
    mode: ReplayMode = Field(default="missing", description="missing: what its inbox does not know; reapply: all")
    teams: tuple[str, ...] = ()
    keys: tuple[str, ...] = Field(default=(), description="a record key, or its beginning with * behind it")
    types: tuple[str, ...] = Field(default=(), description="RunFinished, or outrider.airflow.run.finished.v1")
    rate: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="matching records per second; None: as fast as it goes"
    )


class OffsetRange(Model):
    """A stretch of one partition, without `end`."""

    partition: int
    start: int
    end: int


class ReplayRequest(ReplayChoice):
    """Body of `POST /v1/bus/replays`. With `plan_only` nothing is done; the plan's `ranges` and `digest` make the job
    read exactly what the plan has shown."""

    since: Instant | None = Field(default=None, description="records said at this time or later")
    until: Instant | None = Field(default=None, description="records said before this time")
    offsets: dict[int, int] = Field(default_factory=dict, description="partition -> first offset")
    until_offsets: dict[int, int] = Field(default_factory=dict, description="partition -> offset behind the last")
    partitions: tuple[int, ...] = ()
    reason: Reason = ""
    plan_only: bool = False
    ranges: tuple[OffsetRange, ...] = ()
    digest: str = ""


class RecordPreview(Model):
    """One matching record, without its content."""

    partition: int
    offset: int
    said_at: Instant
    key: str
    type: str
    id: str
    bytes: int


class PartitionPlan(OffsetRange):
    """What one partition has: `records` at most, of which `looked_at` were read for the plan, `matching` of these."""

    records: int
    looked_at: int = 0
    matching: int = 0


class LeftOut(Model):
    """Facts of one type that the group never handles again, and why."""

    type: str
    why: str
    looked_at: int = 0


class ReplayPlan(ReplayChoice):
    """What a replay would do. The ends are frozen: what is said later is not part of it."""

    partitions: tuple[PartitionPlan, ...]
    complete: bool = Field(description="every record was looked at; else the numbers below are estimates")
    matching: int
    missing: int | None = Field(default=None, description="how many of these the inbox does not know; None: all count")
    seconds: float = Field(description="how long it takes about, at the rate")
    left_out: tuple[LeftOut, ...] = ()
    previews: tuple[RecordPreview, ...] = ()
    warnings: tuple[str, ...] = ()
    digest: str = ""

    @property
    def ranges(self) -> tuple[OffsetRange, ...]:
        """What the job is to read."""
        return tuple(OffsetRange(partition=p.partition, start=p.start, end=p.end) for p in self.partitions)


class ReplayFailure(Model):
    """A record that could not be handled; nothing of it was kept, and it held up no other."""

    partition: int
    offset: int
    reason: str


class ReplayCounts(Model):
    """What became of the records read so far."""

    read: int = 0
    matching: int = 0
    done: int = 0
    known: int = 0
    refused: int = 0
    left_out: int = 0
    failed: int = 0


class ReplayProgress(OffsetRange):
    """How far one partition is read: up to `cursor`."""

    cursor: int


class Replay(ReplayChoice):
    """One job, as it stands."""

    id: str
    status: ReplayStatus
    actor: str
    reason: str
    digest: str
    counts: ReplayCounts
    partitions: tuple[ReplayProgress, ...]
    failures: tuple[ReplayFailure, ...] = Field(default=(), description="the first hundred")
    note: str = Field(default="", description="what it waits for, or why it failed")
    created_at: Instant
    changed_at: Instant

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless somebody resumes it."""
        return self.status in ("done", "cancelled", "failed")


class Replays(Model):
    """Answer of `GET /v1/bus/replays`, newest first."""

    replays: tuple[Replay, ...] = ()


class GroupView(Model):
    """A consumer group: what it hears, how, and what it never handles again (type -> why)."""

    name: str
    service: str
    kind: Literal["lanes", "batches"]
    topics: tuple[str, ...] = ()
    pattern: str = ""
    types: tuple[str, ...] = ()
    never_again: dict[str, str] = Field(default_factory=dict)
    assigned: bool
    partitions: int
    in_flight: int
    waiting: bool


class Groups(Model):
    """Answer of `GET /v1/bus/groups`."""

    groups: tuple[GroupView, ...] = ()


def digest_of(choice: ReplayChoice, ranges: tuple[OffsetRange, ...]) -> str:
    """What tells one plan from another: who is given which records, and how."""
    chosen = ReplayChoice.model_validate(choice.model_dump()).model_dump_json()
    told = [chosen, *(one.model_dump_json() for one in sorted(ranges, key=lambda one: one.partition))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
