"""What Airflow's REST API answers of runs and task instances: only what somebody here needs, read leniently."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field

OPEN_RUN_STATES = frozenset({"queued", "running"})
ENDED_RUN_STATES = frozenset({"success", "failed"})
ENDED_TASK_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""Task states in which nothing of the task runs or will run. `up_for_retry` ends a try, not the task."""


class Answer(BaseModel):
    """One JSON object of an answer; fields unknown here are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DagVersion(Answer):
    """The version of the DAG's code that a run or task instance belongs to."""

    id: str
    version_number: int
    bundle_name: str | None = None
    bundle_version: str | None = None


class Run(Answer):
    """A DAG run as Airflow holds it now. REST tells neither its clear number nor its team."""

    dag_id: str
    run_id: str = Field(validation_alias="dag_run_id")
    state: str
    run_type: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    queued_at: datetime | None = None
    start_date: datetime | None = Field(
        default=None, description="set anew when a finished run is cleared; None while it is queued"
    )
    end_date: datetime | None = None
    bundle_version: str | None = None
    dag_versions: tuple[DagVersion, ...] = ()

    @property
    def ended(self) -> bool:
        """Airflow holds the run as finished."""
        return self.state in ENDED_RUN_STATES

    @property
    def dag_version(self) -> DagVersion | None:
        """The newest version its tasks ran under."""
        return max(self.dag_versions, key=lambda version: version.version_number, default=None)


class TaskInstance(Answer):
    """A task instance (or, from `tries`, one earlier try of it) as Airflow holds it now."""

    dag_id: str
    run_id: str = Field(validation_alias="dag_run_id")
    task_id: str
    map_index: int = -1
    try_number: int
    max_tries: int = 0
    state: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    logical_date: datetime | None = Field(default=None, description="absent in answers of `tries`")
    run_after: datetime | None = None
    operator: str | None = None
    hostname: str | None = None
    queue: str | None = None
    queued_at: datetime | None = Field(default=None, validation_alias="queued_when")
    scheduled_at: datetime | None = Field(default=None, validation_alias="scheduled_when")
    pool: str | None = None
    bundle_name: str | None = Field(default=None, validation_alias=AliasPath("dag_version", "bundle_name"))

    @property
    def ended(self) -> bool:
        """Nothing of this task runs or will run, unless somebody clears it."""
        return self.state in ENDED_TASK_STATES


class LogEntry(Answer):
    """What somebody had Airflow do, from its own log. It is written before the thing is done, and stays if it fails."""

    event: str
    dag_id: str | None = None
    run_id: str | None = None
    extra: str | None = Field(default=None, description="JSON: the body of the request, for instance")


T = TypeVar("T", bound=Answer)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows, the token of the next page (None: this was the last), and the time at Airflow when it answered."""

    items: tuple[T, ...]
    next: str | None
    at: datetime
