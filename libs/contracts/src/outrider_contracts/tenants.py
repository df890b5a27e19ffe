"""The wanted and the seen state of teams, and the audit trail. Topics `outrider.tenants.*` and `outrider.audit.v1`."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field

from outrider_contracts.declarations import parse_duration
from outrider_contracts.event import Event
from outrider_contracts.model import Instant, Model, Size
from outrider_contracts.names import NewTeamId, TeamId


class Closed(Model):
    """A part of a team's document: unknown keys are refused, so that a misspelt one is never silently ignored."""

    model_config = ConfigDict(extra="forbid")


def _check_retention(value: str) -> str:
    if value not in ("run", "forever"):
        parse_duration(value)
    return value


Retention = Annotated[str, AfterValidator(_check_retention)]


Backend = Literal["s3", "directory"]
"""Where a team's data lies: in S3, or in a directory of its own on a shared volume (EFS, NFS, one machine's disk)."""


class StorageSpec(Closed):
    """Where the team's data lies and how long it is kept unless an output says otherwise."""

    class Retentions(Closed):
        """Retention of outputs that declare none, and of failed tries."""

        default: Retention = "3d"
        failed: Retention = "7d"

    backend: Backend = Field(default="s3", description="settled once the team has it: data is never moved")
    retention: Retentions = Retentions()
    quota: str | None = None


class PostgresSpec(Closed):
    """The team's schema in the teams database."""

    schema_: bool = Field(default=True, alias="schema")
    connection_limit: int = Field(default=10, ge=1, le=1000, alias="connectionLimit")
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class KafkaSpec(Closed):
    """Quotas of the team's Kafka user."""

    produce_bytes_per_second: str | None = Field(default=None, alias="produceBytesPerSecond")
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class AirflowSpec(Closed):
    """The team's DAG bundle and pools in Airflow."""

    class Bundle(Closed):
        """A local directory (default, derived from the team id) or a git repository."""

        git: str | None = None
        ref: str = "main"

    bundle: Bundle = Bundle()
    pools: dict[str, int] = Field(default_factory=dict)


class KubernetesSpec(Closed):
    """The team's namespace: its quota, how strict pods are looked at, and whose word counts on its objects."""

    quota: dict[str, str | int] = Field(default_factory=dict)
    pod_security: Literal["restricted", "baseline"] = Field(
        default="restricted", alias="podSecurity", exclude_if=lambda level: level == "restricted"
    )
    force: bool = Field(
        default=False,
        exclude_if=lambda force: not force,
        description="take fields over that another manager has set; else they are left to it and shown as a conflict",
    )
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class CacheSpec(Closed):
    """The team's share of the cache."""

    share: str | None = None


_OUTPUT_PATTERN = r"^[^/]+/[^/]+/[^/]+$"


class Offer(Closed):
    """`output` (dag/task/output) of this team may be read by team `to`, once that team accepts."""

    to: TeamId
    output: str = Field(pattern=_OUTPUT_PATTERN)


class Acceptance(Closed):
    """This team reads `output` (dag/task/output) of team `from`, once that team offers it."""

    from_: TeamId = Field(alias="from")
    output: str = Field(pattern=_OUTPUT_PATTERN)
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Grants(Closed):
    """What is shared between teams; a grant needs both sides."""

    offers: tuple[Offer, ...] = ()
    accepts: tuple[Acceptance, ...] = ()


class TeamSpec(Closed):
    """What is wanted of a team."""

    display_name: str = Field(default="", alias="displayName", max_length=200)
    owners: tuple[str, ...] = ()
    storage: StorageSpec = StorageSpec()
    kubernetes: KubernetesSpec = KubernetesSpec()
    postgres: PostgresSpec = PostgresSpec()
    kafka: KafkaSpec = KafkaSpec()
    airflow: AirflowSpec = AirflowSpec()
    cache: CacheSpec = CacheSpec()
    grants: Grants = Grants()
    lifecycle: Literal["Active", "Suspended", "Deleted"] = "Active"
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical document: equal specs, equal digest."""
        canonical = json.dumps(self.model_dump(mode="json", by_alias=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class TeamDocument(Closed):
    """A team as a person writes it in YAML: apiVersion, kind, metadata.name, spec."""

    class Metadata(Closed):
        """The team's id."""

        name: NewTeamId

    api_version: Literal["outrider/v1"] = Field(alias="apiVersion")
    kind: Literal["Team"]
    metadata: Metadata
    spec: TeamSpec = TeamSpec()
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class TeamDesired(Event):
    """The wanted state of a team. `generation` counts upwards per uid; `digest` is that of the spec."""

    type: ClassVar[str] = "outrider.tenant.desired.v1"
    topic: ClassVar[str] = "outrider.tenants.desired.v1"
    team: NewTeamId
    uid: str = Field(pattern=r"^[0-9a-f]{32}$")
    generation: Size = Field(ge=1)
    digest: str
    spec: TeamSpec
    requested_by: str = ""
    requested_at: Instant

    def key(self) -> str:
        return self.team

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.uid, self.generation, self.digest)

    def occurred_at(self) -> datetime | None:
        return self.requested_at


class Condition(Model):
    """How one provisioner (or the whole: `Ready`, `Accepted`) stands."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    since: Instant


class TeamStatus(Event):
    """What is so: the last generation seen, a condition per provisioner, the team's names. Never a secret."""

    type: ClassVar[str] = "outrider.tenant.status.v1"
    topic: ClassVar[str] = "outrider.tenants.status.v1"
    team: TeamId
    uid: str
    observed_generation: Size
    digest: str
    phase: Literal["Provisioning", "Ready", "Degraded", "Refused", "Suspended", "Orphaned", "Deleted"]
    conditions: tuple[Condition, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
    secret_refs: dict[str, str] = Field(default_factory=dict)
    spec: TeamSpec | None = None
    readable: tuple[Acceptance, ...] = Field(default=(), description="grants with both sides, as this team reads them")
    revision: Size = Field(ge=1, description="counts up with every change of the team's status")
    updated_at: Instant

    def key(self) -> str:
        return self.team

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.uid, self.revision)

    def occurred_at(self) -> datetime | None:
        return self.updated_at

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it is stated."""
        return next((c for c in self.conditions if c.type == type_), None)


class AuditRecorded(Event):
    """Who did what to which resource, and because of which record. `team` is names.PLATFORM where no team is meant."""

    type: ClassVar[str] = "outrider.audit.recorded.v1"
    topic: ClassVar[str] = "outrider.audit.v1"
    team: TeamId
    actor: str
    action: str
    resource: str
    outcome: Literal["done", "refused", "failed"] = "done"
    detail: str = ""
    because: str = Field(default="", description="topic/partition/offset or request id")
    at: Instant

    def key(self) -> str:
        return self.team

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.actor, self.action, self.resource, self.outcome, self.because, self.at)

    def occurred_at(self) -> datetime | None:
        return self.at
