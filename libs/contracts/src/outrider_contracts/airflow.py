"""What happens in Airflow, as the listener and the sweep say it. Topic `outrider.airflow.v1`."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TaskKey, TryKey
from outrider_contracts.model import Count, Instant, Model
from outrider_contracts.names import PLATFORM, TeamId

TeamRule = Literal["multi-team", "bundle", "path", "tag", "default"]
TaskState = Literal["success", "failed", "up_for_retry", "skipped", "upstream_failed", "removed", "lost"]


class AirflowEvent(Event):
    """A fact of one run; all facts of a run share a key and so a partition."""

    topic: ClassVar[str] = "outrider.airflow.v1"

    def traced_run(self) -> str:
        return self.key()


class GraphDeclared(AirflowEvent):
    """What the tasks of one DAG version declare, in chunks; said under the key of the first run that needs it.

    Only tasks with declarations are listed, and the tasks they read from. `downstream` holds the DAG's edges among
    them. A missing chunk costs the head start, never correctness.
    """

    type: ClassVar[str] = "outrider.airflow.graph-declared.v1"
    run: RunKey
    dag_version: str
    chunk: Count = 0
    chunks: Count = 1
    tasks: tuple[TaskDeclaration, ...] = ()

    def key(self) -> str:
        return self.run.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.run.team, self.run.dag_id, self.dag_version, self.chunk, self.chunks)


class RunStarted(AirflowEvent):
    """A DAG run began to run. `run_started_at` tells apart runs that were deleted and created again under one id.

    It is Airflow's `DagRun.start_date`, which Airflow sets anew when a *finished* run is cleared: then `RunReopened`
    tells the new one, and it is the same run still.
    """

    type: ClassVar[str] = "outrider.airflow.run-started.v1"
    run: RunKey
    run_started_at: Instant
    clear_number: Count = 0
    run_after: Instant
    logical_date: Instant | None = None
    data_interval_start: Instant | None = None
    data_interval_end: Instant | None = None
    run_type: str = "manual"
    dag_version: str = ""
    bundle: str = ""
    bundle_version: str | None = None
    team_rule: TeamRule = "multi-team"

    def key(self) -> str:
        return self.run.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.run, self.clear_number, self.run_started_at)

    def occurred_at(self) -> datetime | None:
        return self.run_started_at


class RunReopened(RunStarted):
    """A finished run runs again because tasks of it were cleared; `clear_number` counts how often."""

    type: ClassVar[str] = "outrider.airflow.run-reopened.v1"


class RunFinished(AirflowEvent):
    """A DAG run ended."""

    type: ClassVar[str] = "outrider.airflow.run-finished.v1"
    run: RunKey
    run_started_at: Instant
    clear_number: Count = 0
    state: Literal["success", "failed"]
    finished_at: Instant
    logical_date: Instant | None = None
    run_after: Instant | None = None

    def key(self) -> str:
        return self.run.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.run, self.clear_number, self.state, self.finished_at)

    def occurred_at(self) -> datetime | None:
        return self.finished_at


class RunDeleted(AirflowEvent):
    """A DAG run that was known is gone from Airflow (seen twice by the sweep)."""

    type: ClassVar[str] = "outrider.airflow.run-deleted.v1"
    run: RunKey
    run_started_at: Instant
    seen_at: Instant

    def key(self) -> str:
        return self.run.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.run, self.run_started_at)

    def occurred_at(self) -> datetime | None:
        return self.seen_at


class TaskStarted(AirflowEvent):
    """A try began to run (or was resumed after a deferral: the same fact)."""

    type: ClassVar[str] = "outrider.airflow.task-started.v1"
    task: TryKey
    run_started_at: Instant
    started_at: Instant
    logical_date: Instant | None = None
    run_after: Instant | None = None
    operator: str = ""
    queue: str = ""
    pool: str = ""
    dag_version: str = ""
    bundle: str = ""
    bundle_version: str | None = None
    hostname: str = ""
    team_rule: TeamRule = "multi-team"
    declaration: TaskDeclaration | None = None
    clear_number: Count = 0
    """How often its run had been cleared when it began."""

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task, self.started_at)

    def occurred_at(self) -> datetime | None:
        return self.started_at


class TaskError(Model):
    """An error by its class and the fingerprint of its first line; its words stay within the team."""

    error_class: str
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")


class TaskFinished(AirflowEvent):
    """A try ended, in the sense Airflow gives the state: `up_for_retry` is not `failed`."""

    type: ClassVar[str] = "outrider.airflow.task-finished.v1"
    task: TryKey
    run_started_at: Instant
    state: TaskState
    finished_at: Instant
    started_at: Instant | None = None
    scheduled_at: Instant | None = None
    queued_at: Instant | None = None
    """Known where Airflow's row is at hand, which in a task's own process it is not."""
    logical_date: Instant | None = None
    operator: str = ""
    queue: str = ""
    pool: str = ""
    bundle_version: str | None = None
    team_rule: TeamRule = "multi-team"
    error: TaskError | None = None

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task, self.state, self.finished_at)

    def occurred_at(self) -> datetime | None:
        return self.finished_at


class AssetUpdated(AirflowEvent):
    """A task updated an Airflow asset."""

    type: ClassVar[str] = "outrider.airflow.asset-updated.v1"
    task: TryKey
    uri: str
    name: str = ""
    updated_at: Instant

    def key(self) -> str:
        return self.task.record_key

    def identity(self) -> tuple[object, ...]:
        return (self.task.task, self.uri, self.updated_at)

    def occurred_at(self) -> datetime | None:
        return self.updated_at


class AssetCreated(AirflowEvent):
    """Airflow met an asset, or an alias of assets, for the first time.

    The process that reads DAG files does not say for whose: where Airflow names no team it is filed under `platform`.
    """

    type: ClassVar[str] = "outrider.airflow.asset-created.v1"
    team: TeamId = PLATFORM
    name: str
    uri: str = ""
    group: str = ""
    alias: bool = False
    created_at: Instant

    def key(self) -> str:
        return f"{self.team}/asset/{self.name}"

    def traced_run(self) -> str:
        return ""

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.name, self.uri, self.alias, self.created_at)

    def occurred_at(self) -> datetime | None:
        return self.created_at


class AssetChanged(AirflowEvent):
    """Airflow put an asset event on record, which may start other DAGs.

    Unlike `AssetUpdated`, which a task's own process tells of its declared outlets, this covers aliases, assets named
    while running and events of other systems (`task` is None then, and `team` is `platform`). What came with the event
    is not told.
    """

    type: ClassVar[str] = "outrider.airflow.asset-changed.v1"
    team: TeamId = PLATFORM
    task: TaskKey | None = None
    name: str
    uri: str = ""
    group: str = ""
    aliases: tuple[str, ...] = ()
    partition_key: str | None = None
    changed_at: Instant

    def key(self) -> str:
        return self.task.record_key if self.task else f"{self.team}/asset/{self.name}"

    def traced_run(self) -> str:
        return self.task.record_key if self.task else ""

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.task, self.name, self.uri, self.partition_key, self.changed_at)

    def occurred_at(self) -> datetime | None:
        return self.changed_at
