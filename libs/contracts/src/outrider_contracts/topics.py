"""The registry of topics: the one source of names, partitions, retention, compaction and access rights."""

from dataclasses import dataclass
from typing import Literal

from outrider_contracts.names import DerivedNames, check_team_id

Principal = Literal["airflow", "sweep", "storage", "lineage", "tenancy", "operator"]
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class TopicSpec:
    """One topic: who writes it, who reads it, how long it is kept, and what it says."""

    name: str
    says: str
    key: str
    partitions: int = 1
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int | None = None
    writers: tuple[Principal, ...] = ()
    readers: tuple[Principal, ...] = ()

    @property
    def configuration(self) -> dict[str, str]:
        """The topic's configuration in Kafka's terms."""
        configuration: dict[str, str] = {"cleanup.policy": self.cleanup}
        if self.retention_ms is not None:
            configuration["retention.ms"] = str(self.retention_ms)
        if self.name.startswith("outrider.dlq."):  # the largest record of any topic, with our headers behind its own
            configuration["max.message.bytes"] = str(2 * 1_048_588)
        return configuration


SHARED: tuple[TopicSpec, ...] = (
    TopicSpec(
        "outrider.tenants.desired.v1", "the wanted state of a team: uid, generation, digest, spec", "team",
        cleanup="compact", writers=("operator",), readers=("tenancy", "operator"),
    ),
    TopicSpec(
        "outrider.tenants.status.v1", "observed generation, a condition per provisioner, derived names", "team",
        cleanup="compact", writers=("tenancy",), readers=("tenancy", "storage", "lineage", "sweep", "operator"),
    ),
    TopicSpec(
        "outrider.audit.v1", "who did what to which resource, from which record", "team",
        retention_ms=365 * _DAY_MS, writers=("tenancy", "storage", "lineage", "sweep", "operator"),
        readers=("operator",),
    ),
    TopicSpec(
        "outrider.airflow.v1", "graphs declared; runs started, reopened, finished, deleted; tries started and "
        "finished; assets created, changed, updated", "team/dag_id/run_id", partitions=12,
        retention_ms=14 * _DAY_MS, writers=("airflow", "sweep"), readers=("storage", "lineage", "sweep", "operator"),
    ),
    TopicSpec(
        "outrider.environments.v1", "environments ready, refused, sealed; versions doomed, restored, cleared",
        "team/dag_id/run_id", partitions=12, retention_ms=14 * _DAY_MS, writers=("storage",),
        readers=("lineage", "storage", "operator"),
    ),
    TopicSpec(
        "outrider.lineage.v1", "OpenLineage run events, nothing else", "as the OpenLineage client keys it",
        partitions=12,
        retention_ms=30 * _DAY_MS, writers=("lineage",), readers=("operator",),
    ),
    TopicSpec(
        "outrider.lineage.edges.v1", "lineage edges added and dropped", "job", retention_ms=30 * _DAY_MS,
        writers=("lineage",), readers=("operator",),
    ),
    *(
        TopicSpec(
            f"outrider.dlq.{group}", f"records {group} could not take: untouched bytes, origin and reason", "as origin",
            retention_ms=30 * _DAY_MS, writers=(group,), readers=(group, "operator"),
        )
        for group in ("tenancy", "storage", "lineage", "sweep")
    ),
)  # fmt: skip
"""Every shared topic. `outrider topics apply` creates them; nothing else may."""

TEAM_INBOXES = r"^outrider\.team\.[a-z0-9-]+\.inbox\.v1$"
"""Pattern by which the inboxes of all teams are read."""


def dead_letters(group: str) -> str:
    """Name of the topic that holds what consumer group *group* could not take."""
    return f"outrider.dlq.{group}"


def team_events(team: str) -> str:
    """Name of the topic with copies of the facts that concern *team*."""
    return f"{DerivedNames(team).kafka_prefix}events.v1"


def team_inbox(team: str) -> str:
    """Name of the topic that *team*'s own jobs write OpenLineage events to."""
    return f"{DerivedNames(team).kafka_prefix}inbox.v1"


def team_of_topic(topic: str) -> str | None:
    """The team whose topic this is, None for a shared topic."""
    parts = topic.split(".")
    return parts[2] if topic.startswith("outrider.team.") and len(parts) >= 4 else None


def team_concerned(topic: str, key: bytes | None) -> str | None:
    """The team a record concerns: its topic's, else the first part of its key; None where that names none."""
    named = team_of_topic(topic) or (key or b"").decode(errors="replace").split("/", 1)[0]
    try:
        return check_team_id(named)
    except ValueError:
        return None


def team_topics(team: str) -> tuple[TopicSpec, ...]:
    """The two topics tenancy creates for *team*."""
    return (
        TopicSpec(
            team_events(team), "copies of environment and lineage facts that concern the team", "the team's own names",
            retention_ms=14 * _DAY_MS, writers=("storage", "lineage"), readers=("operator",),
        ),
        TopicSpec(
            team_inbox(team), "OpenLineage events of the team's own jobs", "any", retention_ms=14 * _DAY_MS,
            writers=(), readers=("lineage", "operator"),
        ),
    )  # fmt: skip
