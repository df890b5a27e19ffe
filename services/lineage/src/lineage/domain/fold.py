"""What each fact means for the tables. The table at the end says which fact goes where."""

from collections.abc import Callable, Iterable
from datetime import datetime

from outrider_contracts import airflow, environments
from outrider_contracts.declarations import InputDeclaration, TaskDeclaration
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.places import parse_generation_path

from lineage.domain import schema
from lineage.domain.names import Names, NodeName, dag_run_id, try_run_id
from lineage.domain.tables import Changes, Row, Value

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


class _Fold:
    """One fact's way into the tables."""

    def __init__(self, names: Names, changes: Changes) -> None:
        self._names = names
        self._changes = changes

    def run_started(self, event: airflow.RunStarted) -> None:
        self._run(
            event.run, event.run_started_at, started=True, clear_number=event.clear_number, run_type=event.run_type,
            dag_version=event.dag_version, logical_date=event.logical_date, run_after=event.run_after,
            data_interval_start=event.data_interval_start, data_interval_end=event.data_interval_end,
        )  # fmt: skip

    def run_finished(self, event: airflow.RunFinished) -> None:
        self._run(
            event.run, event.run_started_at, clear_number=event.clear_number, logical_date=event.logical_date,
            run_after=event.run_after, end_clear_number=event.clear_number, end_at=event.finished_at,
            end_state=event.state,
        )  # fmt: skip

    def run_deleted(self, event: airflow.RunDeleted) -> None:
        self._run(event.run, event.run_started_at, deleted_at=event.seen_at)

    def graph_declared(self, event: airflow.GraphDeclared) -> None:
        for task in event.tasks:
            self._declared(event.run, task, at=None)

    def task_started(self, event: airflow.TaskStarted) -> None:
        self._try(
            event.task, event.run_started_at, heard_start=True, started_at=event.started_at,
            declares=event.declaration is not None, operator=event.operator, dag_version=event.dag_version,
            logical_date=event.logical_date,
        )  # fmt: skip
        self._job(event.task, event.operator, event.started_at)
        if event.declaration is not None:
            self._declared(event.task, event.declaration, at=event.started_at)

    def task_finished(self, event: airflow.TaskFinished) -> None:
        self._try(
            event.task, event.run_started_at, started_at=event.started_at, operator=event.operator,
            logical_date=event.logical_date, end_rank=1 if event.state in _CONCLUDED else 2, end_at=event.finished_at,
            end_state=event.state, error_class=event.error.error_class if event.error else "",
            error_fingerprint=event.error.fingerprint if event.error else "",
        )  # fmt: skip
        if event.started_at is not None:
            self._job(event.task, event.operator, event.started_at)

    def ready(self, event: environments.EnvironmentReady) -> None:
        if event.task.try_number == 0:  # made ahead of every try: nobody has read or written anything yet
            return
        self._try(event.task, event.run_started_at, ready=True)
        self._inputs(event.task, event.run_started_at, event.inputs, event.ready_at)
        for name, source in event.sources.items():
            self._reads_outside(event.task, event.run_started_at, name, source, event.ready_at)

    def refused(self, event: environments.EnvironmentRefused) -> None:
        if event.task.try_number > 0:
            self._try(event.task, event.run_started_at, refused_at=event.refused_at, refusal=event.reason)

    def sealed(self, event: environments.EnvironmentSealed) -> None:
        at, succeeded = event.sealed_at, event.outcome == "success"
        self._try(
            event.task, event.run_started_at, ready=True, logical_date=event.logical_date, sealed_at=at,
            seal_outcome=event.outcome, generation=event.generation,
        )  # fmt: skip
        job = self._job(event.task, "", at)
        self._inputs(event.task, event.run_started_at, event.inputs, at, ran=succeeded)
        for name, source in event.sources.items():
            node = self._reads_outside(event.task, event.run_started_at, name, source, at)
            if succeeded:
                self._edge(node, job, job, ran=True, at=at)
        for name, destination in event.destinations.items():
            node = self._node(self._names.outside(event.task.team, destination), at)
            self._write(event.task, event.run_started_at, name, node, generation=0)
            if succeeded:
                self._edge(job, node, job, ran=True, at=at)
        for name, output in event.outputs.items():
            node = self._node(self._names.version(output.version), at)
            self._write(
                event.task, event.run_started_at, name, node, generation=output.version.generation, path=output.path,
                partition=partition(output.path), files=output.files, bytes=output.bytes, expires=output.expires,
            )  # fmt: skip
            self._version(
                output.version, output.path, sealed_at=at, outcome=event.outcome, try_number=event.task.try_number
            )
            if succeeded:
                self._edge(job, node, job, ran=True, at=at)

    def doomed(self, event: environments.VersionDoomed) -> None:
        self._version(
            event.version, event.path, doomed_at=event.doomed_at, not_before=event.not_before, doom_reason=event.reason
        )

    def restored(self, event: environments.VersionRestored) -> None:
        self._version(event.version, event.path, restored_at=event.restored_at)

    def cleared(self, event: environments.VersionCleared) -> None:
        self._version(event.version, event.path, cleared_at=event.cleared_at)

    def _run(self, run: RunKey, run_started_at: datetime, **values: Value) -> None:
        key: Row = {"team": run.team, "dag_id": run.dag_id, "run_id": run.run_id, "run_started_at": run_started_at}
        self._changes.add(schema.RUNS, **key, ol_run_id=dag_run_id(self._names, run, run_started_at), **values)

    def _try(self, task: TryKey, run_started_at: datetime, **values: Value) -> None:
        key = try_key(task, run_started_at)
        self._changes.add(schema.TRIES, **key, ol_run_id=try_run_id(self._names, task, run_started_at), **values)

    def _node(self, node: NodeName, at: datetime | None, operator: str = "") -> NodeName:
        self._changes.add(
            schema.NODES, id=node.id, kind=node.kind, team=node.team, namespace=node.namespace, name=node.name,
            dag_id=node.dag_id, task_id=node.task_id, output=node.output, operator=operator, first_at=at, last_at=at,
        )  # fmt: skip
        return node

    def _job(self, task: TryKey, operator: str, at: datetime) -> NodeName:
        return self._node(self._names.job(task.team, task.dag_id, task.task_id), at, operator)

    def _edge(
        self, source: NodeName, target: NodeName, job: NodeName, *,
        at: datetime | None, ran: bool = False, declared: bool = False,
    ) -> None:  # fmt: skip
        seen = at if ran else None
        self._changes.add(
            schema.EDGES, source=source.id, target=target.id, team=job.team, job=job.id, ran=ran, declared=declared,
            first_at=seen, last_at=seen,
        )  # fmt: skip

    def _declared(self, run: RunKey, task: TaskDeclaration, *, at: datetime | None) -> None:
        job = self._node(self._names.job(run.team, run.dag_id, task.task_id), at, task.operator)
        before = [self._producer(run, declared) for declared in task.inputs.values()]
        before += [self._names.outside(run.team, source.connection) for source in task.sources.values()]
        after = [self._names.output(run.team, run.dag_id, task.task_id, output) for output in task.outputs]
        after += [self._names.outside(run.team, place.connection) for place in task.destinations.values()]
        for node in before:
            self._edge(self._node(node, at), job, job, declared=True, at=at)
        for node in after:
            self._edge(job, self._node(node, at), job, declared=True, at=at)

    def _producer(self, run: RunKey, declared: InputDeclaration) -> NodeName:
        return self._names.output(declared.team or run.team, declared.dag or run.dag_id, declared.task, declared.output)

    def _inputs(
        self, task: TryKey, run_started_at: datetime, inputs: dict[str, tuple[InputVersion, ...]], at: datetime, *,
        ran: bool = False,
    ) -> None:  # fmt: skip
        job = self._job(task, "", at)
        for name, versions in inputs.items():
            for read in versions:
                node = self._node(self._names.version(read.version), at)
                self._changes.add(
                    schema.READS, **try_key(task, run_started_at), name=name, dataset=node.id,
                    from_run_id=read.version.run_id, from_map_index=read.version.map_index,
                    generation=read.version.generation, path=read.path, partition=partition(read.path),
                )  # fmt: skip
                if ran:
                    self._edge(node, job, job, ran=True, at=at)

    def _reads_outside(self, task: TryKey, run_started_at: datetime, name: str, source: str, at: datetime) -> NodeName:
        node = self._node(self._names.outside(task.team, source), at)
        self._changes.add(
            schema.READS, **try_key(task, run_started_at), name=name, dataset=node.id, from_run_id="",
            from_map_index=-1, generation=0,
        )  # fmt: skip
        return node

    def _write(self, task: TryKey, run_started_at: datetime, name: str, node: NodeName, **values: Value) -> None:
        self._changes.add(schema.WRITES, **try_key(task, run_started_at), name=name, dataset=node.id, **values)

    def _version(self, version: VersionKey, path: str, **values: Value) -> None:
        key = {name: getattr(version, name) for name in VersionKey.model_fields}
        dataset = self._names.version(version).id
        self._changes.add(schema.VERSIONS, **key, dataset=dataset, path=path, **values)


def try_key(task: TryKey, run_started_at: datetime) -> Row:
    """The key columns of a try."""
    return {**{name: getattr(task, name) for name in TryKey.model_fields}, "run_started_at": run_started_at}


def partition(path: str) -> str:
    """The execution date of a version's path, with its map index; "" for a path that is no version's."""
    try:
        place = parse_generation_path(path).place
    except ValueError:
        return ""
    return "/".join(place.split("/")[3:])


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
