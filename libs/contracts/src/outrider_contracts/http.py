"""What operators and stagers ask the storage service over HTTP, and what it answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from outrider_contracts.declarations import InputDeclaration, Mode, TaskDeclaration
from outrider_contracts.environments import InputVersion, OutputPlace, Reason, SealedOutput
from outrider_contracts.keys import TaskKey, TryKey
from outrider_contracts.model import Count, Instant, Model, Size


class EnsureRequest(Model):
    """Make (or find) the environment of one try. Repeating it gives the same environment."""

    task: TryKey
    run_started_at: Instant
    run_after: Instant
    logical_date: Instant | None = None
    declaration: TaskDeclaration


class Credentials(Model):
    """Short-lived S3 credentials, fenced to one try's inputs and outputs."""

    access_key_id: str
    secret_access_key: str = Field(repr=False)
    session_token: str = Field(repr=False)
    expires_at: Instant


class StoreAddress(Model):
    """Where versions lie: a bucket (`s3`) or a directory tree (`directory`)."""

    kind: Literal["s3", "directory"]
    bucket: str = ""
    endpoint_url: str | None = None
    region: str = "us-east-1"
    root: str = ""

    def uri(self, path: str) -> str:
        """The path as a job's own tools spell it: `s3://bucket/path` or `file:///root/path`."""
        return f"s3://{self.bucket}/{path}" if self.kind == "s3" else f"file://{self.root.rstrip('/')}/{path}"

    def directory(self, path: str) -> str:
        """The path as a directory of a store that is one."""
        return f"{self.root.rstrip('/')}/{path.rstrip('/')}"


class Environment(Model):
    """What one try is given."""

    task: TryKey
    run_started_at: datetime
    generation: int
    place: str
    mode: Mode
    store: StoreAddress
    inputs: dict[str, tuple[InputVersion, ...]] = Field(default_factory=dict)
    missing_inputs: tuple[str, ...] = Field(default=(), description="optional inputs without a version")
    outputs: dict[str, OutputPlace] = Field(default_factory=dict)
    credentials: Credentials | None = None
    fence: Literal["task", "team"] = "task"


class NotReady(Model):
    """Ask again after `retry_after_seconds`."""

    waiting_for: str
    retry_after_seconds: float = 0.2
    input: str | None = Field(default=None, description="the declared input it is, where its declaration says `wait`")
    until: Instant | None = Field(default=None, description="with `input`: how long it may take; no worker need wait")


class OutputRequest(Model):
    """Is there a sealed version *reader* could read as *input* now? Nothing is resolved for good, nothing held."""

    reader: TaskKey
    run_started_at: Instant
    run_after: Instant
    logical_date: Instant | None = None
    input: InputDeclaration
    try_number: Count | None = Field(default=None, ge=1, description="who asks: a no is kept for people who ask why")


class OutputAnswer(Model):
    """There is: these are its parts. NotReady (202) where there is none yet."""

    versions: tuple[InputVersion, ...]


class CredentialsRequest(Model):
    """Renew the credentials of a try that was ensured and is not sealed."""

    task: TryKey
    run_started_at: Instant


class TokenRequest(Model):
    """A token for what carries the data of one try in and out of a pod. The try was ensured and is not sealed."""

    task: TryKey
    run_started_at: Instant
    adoptable: bool = Field(
        default=False, description="a later try of the task may go on with this one's pod, should its worker be lost"
    )


class EnvironmentToken(Model):
    """Good for one try's environment and credentials, until it is sealed or superseded, and for nothing else."""

    token: str = Field(repr=False)
    expires_at: Instant
    url: str = Field(default="", description="storage as pods reach it; empty: as whoever asked does")
    store: StoreAddress = Field(description="the store as pods reach it")


class Standing(Model):
    """Whether what carries a try's data may go on."""

    revoked: bool
    reason: str = ""


class Carried(Model):
    """A try's data has been carried into the job's directories, or out of them."""

    way: Literal["in", "out"]
    seconds: float = Field(ge=0, description="how long it took")
    cold_bytes: Size | None = Field(
        default=None,
        ge=0,
        description="of what was carried in: bytes that came from the store itself, from no cache",
    )


class CarriedRequest(Model):
    """The same, told by whoever acts for the task itself."""

    task: TryKey
    run_started_at: Instant
    carried: Carried


class SealRequest(Model):
    """The try is over. Sealing twice with the same outcome gives the same answer."""

    task: TryKey
    run_started_at: Instant
    outcome: Literal["success", "failed"]


class SealResult(Model):
    """What is on record now."""

    generation: int
    outputs: dict[str, SealedOutput] = Field(default_factory=dict)


class Problem(Model):
    """An error a person can act on; the body of every 4xx and 5xx is `{"error": Problem}`."""

    code: Reason | str
    message: str
    fix: str = ""


class EnvironmentDocument(Model):
    """`environment.json`, and in short form the env variables, as a job sees them. No credentials inside."""

    team: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    logical_date: datetime | None
    mode: Mode
    fence: Literal["task", "team"]
    inputs: dict[str, list[str]] = Field(description="name -> directories, or URIs (uris), one per part")
    outputs: dict[str, str] = Field(description="name -> directory or URI")
    formats: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="`inputs` and `outputs`: name -> format, where the producer declared one"
    )
    sources: dict[str, str] = Field(default_factory=dict, description="name -> path of a file with the connection")
    destinations: dict[str, str] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)
