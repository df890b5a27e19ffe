"""What the storage service shows to people: environments of a run, versions about to be removed, holds."""

from typing import Literal

from pydantic import Field

from outrider_contracts.declarations import InputDeclaration, Mode
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.keys import TaskKey, TryKey
from outrider_contracts.model import Instant, Model

VersionState = Literal["open", "sealed", "doomed", "clearing", "cleared"]
EnvironmentState = Literal["announced", "ready", "sealed", "dropped"]


class Frozen(Model):
    """Whether anything may be destroyed at all."""

    frozen: bool
    reason: str = ""
    by: str = ""
    since: Instant | None = None


class HoldView(Model):
    """Who keeps a version from being removed, since when and until when."""

    holder: str
    reason: str = ""
    since: Instant
    expires_at: Instant


class VersionView(Model):
    """One version of one output, as it stands now."""

    output: str
    path: str
    state: VersionState
    current: bool = Field(default=False, description="what readers of this output get")
    retention: str
    files: int | None = None
    bytes: int | None = None
    due_at: Instant | None = Field(default=None, description="when it may be doomed; None: not before the run ends")
    not_before: Instant | None = Field(default=None, description="a doomed version is deleted not before this")
    cleared_at: Instant | None = None
    reason: str = ""
    doomed_at: Instant | None = None
    waiting_for: str = Field(default="", description="why it is still there although it is due")
    holds: tuple[HoldView, ...] = ()


class InputSize(Model):
    """What the versions of one input hold together."""

    files: int = 0
    bytes: int = 0


class CredentialsView(Model):
    """When a try was given credentials last, and until when those are good. Never the credentials."""

    given_at: Instant
    expires_at: Instant


class CarriedView(Model):
    """When a try's data had been carried, and how long it took."""

    at: Instant
    seconds: float
    cold_bytes: int | None = Field(default=None, description="bytes that came from the store itself, not from a cache")


class EnvironmentView(Model):
    """One generation of one task's place."""

    task: TaskKey
    try_number: int | None = Field(description="None: announced, no try has begun")
    run_started_at: Instant
    generation: int
    place: str
    state: EnvironmentState
    outcome: Literal["success", "failed"] | None = None
    announced_at: Instant | None = None
    ready_at: Instant | None = None
    sealed_at: Instant | None = None
    inputs: dict[str, tuple[InputVersion, ...]] = Field(default_factory=dict)
    versions: tuple[VersionView, ...] = ()
    mode: Mode = "files"
    logical_date: Instant | None = None
    asked_at: Instant | None = Field(default=None, description="when the try itself asked for it first")
    resolved_at: Instant | None = Field(default=None, description="when every input was resolved")
    declared: dict[str, InputDeclaration] = Field(default_factory=dict, description="inputs as declared")
    missing_inputs: tuple[str, ...] = ()
    input_sizes: dict[str, InputSize] = Field(default_factory=dict)
    credentials: CredentialsView | None = None
    staged: CarriedView | None = Field(default=None, description="inputs carried in; None: not yet, or nothing is")
    stored: CarriedView | None = Field(default=None, description="outputs carried out")


class ToldView(Model):
    """What a try was told instead of what it asked for: what it waits for, or why it may not have it."""

    task: TryKey
    run_started_at: Instant
    kind: Literal["waiting", "refused"]
    what: str = Field(description="what is waited for; the reason of a refusal")
    message: str = ""
    fix: str = ""
    first_at: Instant
    last_at: Instant


MOST_OF_A_RUN = 5000
"""Generations, tellings and tries of one run that are answered, the newest."""


class Environments(Model):
    """Answer of `GET /v1/environments`. `told` and `frozen` are there where one run is asked for."""

    environments: tuple[EnvironmentView, ...] = ()
    told: tuple[ToldView, ...] = ()
    frozen: Frozen | None = None


class PendingVersion(Model):
    """A version that will be removed, when and why, and what keeps it meanwhile."""

    version: VersionKey
    path: str
    state: VersionState
    due_at: Instant | None = None
    not_before: Instant | None = None
    bytes: int | None = None
    reason: str
    waiting_for: str = ""
    held_by: tuple[str, ...] = ()


class Pending(Model):
    """Answer of `GET /v1/pending`, soonest first."""

    frozen: Frozen
    versions: tuple[PendingVersion, ...] = ()


class HoldRequest(Model):
    """Keep the versions at `path` (one version's directory, or a whole place) for `duration`, whatever is due."""

    path: str
    duration: str = "7d"
    reason: str = ""


class RestoreRequest(Model):
    """Take back the doomed versions at `path` (one version's directory, or a whole place)."""

    path: str


class FreezeRequest(Model):
    """Stop (or allow again) every removal."""

    frozen: bool
    reason: str = ""


class Touched(Model):
    """Paths of the versions a hold or a restore concerned."""

    paths: tuple[str, ...]
