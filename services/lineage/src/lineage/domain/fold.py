"""What each fact means for the tables. The table at the end says which fact goes where."""

from collections.abc import Callable, Iterable

from outrider_contracts import airflow, environments
from outrider_contracts.event import Event

from lineage.domain.names import Names
from lineage.domain.rows import Rows, partition
from lineage.domain.tables import Changes

_CONCLUDED = frozenset({"lost", "removed"})
"""States nobody reported: the sweep concluded them. A state that Airflow gave beats them, whenever it was."""


def fold(names: Names, events: Iterable[Event]) -> Changes:
    """Everything *events* say, as rows to merge. Facts that say nothing about lineage are left out."""
    changes = Changes()
    for event in events:
        how = _FOLDS.get(type(event))
        if how is not None:
            how(_Fold(names, changes), event)
    return changes


class _Fold(Rows):
    """What each fact adds."""

    def run_started(self, event: airflow.RunStarted) -> None:
        self.add_run(
            event.run, event.run_started_at, started=True, clear_number=event.clear_number, run_type=event.run_type,
            dag_version=event.dag_version, logical_date=event.logical_date, run_after=event.run_after,
            data_interval_start=event.data_interval_start, data_interval_end=event.data_interval_end,
        )  # fmt: skip

    def run_finished(self, event: airflow.RunFinished) -> None:
        self.add_run(
            event.run, event.run_started_at, clear_number=event.clear_number, logical_date=event.logical_date,
            run_after=event.run_after, end_clear_number=event.clear_number, end_at=event.finished_at,
            end_state=event.state,
        )  # fmt: skip

    def run_deleted(self, event: airflow.RunDeleted) -> None:
        self.add_run(event.run, event.run_started_at, deleted_at=event.seen_at)

    def graph_declared(self, event: airflow.GraphDeclared) -> None:
        for task in event.tasks:
            self.add_declared(event.run, task, at=None)

    def task_started(self, event: airflow.TaskStarted) -> None:
        self.add_try(
            event.task, event.run_started_at, heard_start=True, started_at=event.started_at,
            declares=event.declaration is not None, operator=event.operator, dag_version=event.dag_version,
            logical_date=event.logical_date,
        )  # fmt: skip
        self.add_job(event.task, event.operator, event.started_at)
        if event.declaration is not None:
            self.add_declared(event.task, event.declaration, at=event.started_at)

    def task_finished(self, event: airflow.TaskFinished) -> None:
        self.add_try(
            event.task, event.run_started_at, started_at=event.started_at, operator=event.operator,
            logical_date=event.logical_date, end_rank=1 if event.state in _CONCLUDED else 2, end_at=event.finished_at,
            end_state=event.state, error_class=event.error.error_class if event.error else "",
            error_fingerprint=event.error.fingerprint if event.error else "",
        )  # fmt: skip
        if event.started_at is not None:
            self.add_job(event.task, event.operator, event.started_at)

    def ready(self, event: environments.EnvironmentReady) -> None:
        if event.task.try_number == 0:  # made ahead of every try: nobody has read or written anything yet
            return
        self.add_try(event.task, event.run_started_at, ready=True)
        self.add_inputs(event.task, event.run_started_at, event.inputs, event.ready_at)
        for name, source in event.sources.items():
            self.add_outside_read(event.task, event.run_started_at, name, source, event.ready_at)

    def refused(self, event: environments.EnvironmentRefused) -> None:
        if event.task.try_number > 0:
            self.add_try(event.task, event.run_started_at, refused_at=event.refused_at, refusal=event.reason)

    def sealed(self, event: environments.EnvironmentSealed) -> None:
        at, succeeded = event.sealed_at, event.outcome == "success"
        self.add_try(
            event.task, event.run_started_at, ready=True, logical_date=event.logical_date, sealed_at=at,
            seal_outcome=event.outcome, generation=event.generation,
        )  # fmt: skip
        job = self.add_job(event.task, "", at)
        self.add_inputs(event.task, event.run_started_at, event.inputs, at, ran=succeeded)
        for name, source in event.sources.items():
            node = self.add_outside_read(event.task, event.run_started_at, name, source, at)
            if succeeded:
                self.add_edge(node, job, job, ran=True, at=at)
        for name, destination in event.destinations.items():
            node = self.add_node(self.names.outside(event.task.team, destination), at)
            self.add_write(event.task, event.run_started_at, name, node, generation=0)
            if succeeded:
                self.add_edge(job, node, job, ran=True, at=at)
        for name, output in event.outputs.items():
            node = self.add_node(self.names.version(output.version), at)
            self.add_write(
                event.task, event.run_started_at, name, node, generation=output.version.generation, path=output.path,
                partition=partition(output.path), files=output.files, bytes=output.bytes, expires=output.expires,
                format=output.format or "",
            )  # fmt: skip
            self.add_version(
                output.version, output.path, sealed_at=at, outcome=event.outcome, try_number=event.task.try_number
            )
            if succeeded:
                self.add_edge(job, node, job, ran=True, at=at)

    def doomed(self, event: environments.VersionDoomed) -> None:
        self.add_version(
            event.version, event.path, doomed_at=event.doomed_at, not_before=event.not_before, doom_reason=event.reason
        )

    def restored(self, event: environments.VersionRestored) -> None:
        self.add_version(event.version, event.path, restored_at=event.restored_at)

    def cleared(self, event: environments.VersionCleared) -> None:
        self.add_version(event.version, event.path, cleared_at=event.cleared_at)


_FOLDS: dict[type[Event], Callable[..., None]] = {
    airflow.GraphDeclared: _Fold.graph_declared,
    airflow.RunStarted: _Fold.run_started,
    airflow.RunReopened: _Fold.run_started,
    airflow.RunFinished: _Fold.run_finished,
    airflow.RunDeleted: _Fold.run_deleted,
    airflow.TaskStarted: _Fold.task_started,
    airflow.TaskFinished: _Fold.task_finished,
    environments.EnvironmentReady: _Fold.ready,
    environments.EnvironmentRefused: _Fold.refused,
    environments.EnvironmentSealed: _Fold.sealed,
    environments.VersionDoomed: _Fold.doomed,
    environments.VersionRestored: _Fold.restored,
    environments.VersionCleared: _Fold.cleared,
}

HEARD = frozenset(_FOLDS)
"""The facts that say something about lineage."""
