"""Which try a task process is, read from Airflow's context, as storage and lineage name it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from airflow.sdk import Context
from outrider_contracts.declarations import InputDeclaration, TaskDeclaration
from outrider_contracts.http import (
    Carried,
    CarriedRequest,
    CredentialsRequest,
    EnsureRequest,
    OutputRequest,
    SealRequest,
    TokenRequest,
)
from outrider_contracts.keys import TryKey

from outrider_airflow import whose
from outrider_airflow.errors import EnvironmentRefused
from outrider_airflow.trace import traceparent


@dataclass(frozen=True)
class Attempt:
    """One try and the run it belongs to, and what storage is asked in its name."""

    task: TryKey
    run_started_at: datetime
    run_after: datetime
    logical_date: datetime | None
    traceparent: str = ""

    def ensure(self, declaration: TaskDeclaration) -> EnsureRequest:
        """Ask for its environment. An instance of a mapped task no longer knows that it is mapped: its index does."""
        return EnsureRequest(
            task=self.task,
            run_started_at=self.run_started_at,
            run_after=self.run_after,
            logical_date=self.logical_date,
            declaration=declaration.model_copy(update={"mapped": self.task.map_index >= 0}),
        )

    def look(self, awaited: InputDeclaration) -> OutputRequest:
        """Ask whether an output it may read is sealed."""
        return OutputRequest(
            reader=self.task.task,
            try_number=self.task.try_number,
            run_started_at=self.run_started_at,
            run_after=self.run_after,
            logical_date=self.logical_date,
            input=awaited,
        )

    def credentials(self) -> CredentialsRequest:
        """Ask for new credentials."""
        return CredentialsRequest(task=self.task, run_started_at=self.run_started_at)

    def token(self, *, adoptable: bool) -> TokenRequest:
        """Ask for a token for its pod, which a later try may go on with if *adoptable*."""
        return TokenRequest(task=self.task, run_started_at=self.run_started_at, adoptable=adoptable)

    def carried(self, way: Literal["in", "out"], seconds: float, *, cold_bytes: int | None = None) -> CarriedRequest:
        """Say that its data was carried into the job's directories, or out of them."""
        told = Carried(way=way, seconds=seconds, cold_bytes=cold_bytes)
        return CarriedRequest(task=self.task, run_started_at=self.run_started_at, carried=told)

    def of_try(self, try_number: int) -> "Attempt":
        """The same task instance at another of its tries."""
        return replace(self, task=self.task.task.attempt(try_number))

    def success(self) -> SealRequest:
        """Say that it ended well."""
        return SealRequest(task=self.task, run_started_at=self.run_started_at, outcome="success")

    def failure(self) -> SealRequest:
        """Say that it did not."""
        return SealRequest(task=self.task, run_started_at=self.run_started_at, outcome="failed")


def attempt_of(context: Context) -> Attempt:
    """Read it. Raises EnvironmentRefused where no rule of the site says whose task it is."""
    task_instance, run = context["ti"], context["dag_run"]
    binding = whose.of_task(task_instance)
    if binding is None:
        raise EnvironmentRefused(
            f"no rule says which team DAG {task_instance.dag_id!r} belongs to. "
            "Fix: put its file into a team's bundle, or set [outrider] default_team"
        )
    if run.start_date is None:
        raise EnvironmentRefused(f"run {run.run_id!r} of DAG {run.dag_id!r} has not started")
    task = TryKey(
        team=binding.team,
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        map_index=-1 if task_instance.map_index is None else task_instance.map_index,
        try_number=task_instance.try_number,
    )
    return Attempt(
        task=task,
        run_started_at=run.start_date,
        run_after=run.run_after,
        logical_date=run.logical_date,
        traceparent=traceparent(task_instance, task.record_key),
    )
