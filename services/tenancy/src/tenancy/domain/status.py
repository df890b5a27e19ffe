"""What is said of a team: one status, a pure function of its row, so that nothing is said twice for one state."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from outrider_contracts.names import JOB_ACCOUNT, RUNNER_ACCOUNT, SPARK_ACCOUNT, DerivedNames
from outrider_contracts.tenants import TeamStatus
from outrider_contracts.topics import team_events, team_inbox

from tenancy.domain.teams import TeamRecord

Phase = Literal["Provisioning", "Ready", "Degraded", "Refused", "Suspended", "Orphaned", "Deleted"]

TROUBLE = frozenset({"Failed", "Unavailable", "Conflict"})
"""Reasons of a condition that keep a team from being ready."""


def phase(record: TeamRecord, provisioners: Iterable[str]) -> Phase:
    """The team in one word. The lifecycle counts from the moment it is accepted, the rest as it is brought about."""
    if record.orphaned:
        return "Orphaned"
    if record.spec.lifecycle != "Active":
        return record.spec.lifecycle
    conditions = [record.condition(name) for name in provisioners]
    if all(c is not None and c.status == "True" for c in conditions):
        return "Ready"
    if any(c is not None and c.reason in TROUBLE for c in conditions):
        return "Degraded"
    return "Provisioning"


def settle(record: TeamRecord, provisioners: Sequence[str], now: datetime) -> TeamRecord:
    """The row with the conditions that follow from the others: Accepted, Synced, Ready, and Pending ones."""
    for name in provisioners:
        if record.condition(name) is None:
            record = record.stating(name, None, "Pending", "", now)
    if record.refusal is None:
        record = record.stating("Accepted", True, "Accepted", f"generation {record.generation} is in force", now)
    else:
        record = record.stating("Accepted", False, record.refusal.reason, record.refusal.message, now)
    behind = [name for name in provisioners if record.applied.get(name) != record.version]
    synced = f"applying: {', '.join(behind)}" if behind else f"generation {record.generation} is applied everywhere"
    record = record.stating("Synced", not behind, "Applying" if behind else "Applied", synced, now)
    word = phase(record, provisioners)
    return record.stating("Ready", word == "Ready", word, "", now)


def describe(record: TeamRecord, provisioners: Sequence[str], at: datetime) -> TeamStatus:
    """The status as it is said, at the row's next revision."""
    return TeamStatus(
        team=record.team,
        uid=record.uid,
        observed_generation=record.generation,
        digest=record.digest,
        phase=phase(record, provisioners),
        conditions=record.conditions,
        names=names_of(record.team),
        secret_refs=dict(record.secret_refs),
        spec=record.spec,
        readable=record.readable,
        revision=record.revision + 1,
        updated_at=at,
    )


def content_digest(status: TeamStatus) -> str:
    """Equal for two statuses that say the same, whenever and however often they are said."""
    return hashlib.sha256(
        status.model_dump_json(by_alias=True, exclude={"revision", "updated_at"}).encode()
    ).hexdigest()


def names_of(team: str) -> dict[str, str]:
    """The team's name in each system, by the system."""
    names = DerivedNames(team)
    return {
        "iam": names.iam_name,
        "storage.prefix": names.storage_prefix,
        "kafka.user": names.kafka_user,
        "kafka.events": team_events(team),
        "kafka.inbox": team_inbox(team),
        "postgres.login": names.postgres_login,
        "postgres.schema": names.postgres_schema,
        "airflow.team": names.airflow_team,
        "airflow.bundle": names.bundle,
        "http.client": names.http_client,
        "kubernetes.namespace": names.namespace,
        "kubernetes.unix_id": str(names.unix_id),
        "kubernetes.job_account": JOB_ACCOUNT,
        "kubernetes.runner_account": RUNNER_ACCOUNT,
        "kubernetes.spark_account": SPARK_ACCOUNT,
    }


def changed(record: TeamRecord, provisioners: Sequence[str], now: datetime) -> tuple[TeamRecord, TeamStatus | None]:
    """The row as it is to be kept, and its status if that says anything new."""
    record = settle(record, provisioners, now)
    status = describe(record, provisioners, now)
    digest = content_digest(status)
    if digest == record.said:
        return record, None
    return replace(record, revision=status.revision, said=digest), status
