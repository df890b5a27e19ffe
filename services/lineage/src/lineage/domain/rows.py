"""Rows that facts add: one method per table, with all that follows from the keys."""

from datetime import datetime

from outrider_contracts.declarations import InputDeclaration, TaskDeclaration
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.places import parse_generation_path

from lineage.domain import schema
from lineage.domain.names import Names, NodeName, dag_run_id, try_run_id
from lineage.domain.tables import Changes, Row, Value


class Rows:
    """Adds rows to *changes*."""

    def __init__(self, names: Names, changes: Changes) -> None:
        self.names = names
        self.changes = changes

    def add_run(self, run: RunKey, run_started_at: datetime, **values: Value) -> None:
        """A start of a run."""
        key: Row = {"team": run.team, "dag_id": run.dag_id, "run_id": run.run_id, "run_started_at": run_started_at}
        self.changes.add(schema.RUNS, **key, ol_run_id=dag_run_id(self.names, run, run_started_at), **values)

    def add_try(self, task: TryKey, run_started_at: datetime, **values: Value) -> None:
        """A try of a task."""
        key = try_key(task, run_started_at)
        self.changes.add(schema.TRIES, **key, ol_run_id=try_run_id(self.names, task, run_started_at), **values)

    def add_node(self, node: NodeName, at: datetime | None, operator: str = "") -> NodeName:
        """A job or dataset; gives it back."""
        self.changes.add(
            schema.NODES, id=node.id, kind=node.kind, team=node.team, namespace=node.namespace, name=node.name,
            dag_id=node.dag_id, task_id=node.task_id, output=node.output, operator=operator, first_at=at, last_at=at,
        )  # fmt: skip
        return node

    def add_job(self, task: TryKey, operator: str, at: datetime) -> NodeName:
        """The job of a task."""
        return self.add_node(self.names.job(task.team, task.dag_id, task.task_id), at, operator)

    def add_edge(
        self, source: NodeName, target: NodeName, job: NodeName, *,
        at: datetime | None, ran: bool = False, declared: bool = False,
    ) -> None:  # fmt: skip
        """Data flows from source to target; *job* is one of them."""
        seen = at if ran else None
        self.changes.add(
            schema.EDGES, source=source.id, target=target.id, team=job.team, job=job.id, ran=ran, declared=declared,
            first_at=seen, last_at=seen,
        )  # fmt: skip

    def add_declared(self, run: RunKey, task: TaskDeclaration, *, at: datetime | None) -> None:
        """What a task declares: edges nobody has run yet."""
        job = self.add_node(self.names.job(run.team, run.dag_id, task.task_id), at, task.operator)
        before = [self._producer(run, declared) for declared in task.inputs.values()]
        before += [self.names.outside(run.team, source.connection) for source in task.sources.values()]
        after = [self.names.output(run.team, run.dag_id, task.task_id, output) for output in task.outputs]
        after += [self.names.outside(run.team, place.connection) for place in task.destinations.values()]
        for node in before:
            self.add_edge(self.add_node(node, at), job, job, declared=True, at=at)
        for node in after:
            self.add_edge(job, self.add_node(node, at), job, declared=True, at=at)

    def _producer(self, run: RunKey, declared: InputDeclaration) -> NodeName:
        return self.names.output(declared.team or run.team, declared.dag or run.dag_id, declared.task, declared.output)

    def add_inputs(
        self, task: TryKey, run_started_at: datetime, inputs: dict[str, tuple[InputVersion, ...]], at: datetime, *,
        ran: bool = False,
    ) -> None:  # fmt: skip
        """Versions a try read; edges too where it *ran* to a good end."""
        job = self.add_job(task, "", at)
        for name, versions in inputs.items():
            for read in versions:
                node = self.add_node(self.names.version(read.version), at)
                self.changes.add(
                    schema.READS, **try_key(task, run_started_at), name=name, dataset=node.id,
                    from_run_id=read.version.run_id, from_map_index=read.version.map_index,
                    generation=read.version.generation, path=read.path, partition=partition(read.path),
                )  # fmt: skip
                if ran:
                    self.add_edge(node, job, job, ran=True, at=at)

    def add_outside_read(
        self, task: TryKey, run_started_at: datetime, name: str, source: str, at: datetime
    ) -> NodeName:
        """A source a try read."""
        node = self.add_node(self.names.outside(task.team, source), at)
        self.changes.add(
            schema.READS, **try_key(task, run_started_at), name=name, dataset=node.id, from_run_id="",
            from_map_index=-1, generation=0,
        )  # fmt: skip
        return node

    def add_write(self, task: TryKey, run_started_at: datetime, name: str, node: NodeName, **values: Value) -> None:
        """Something a try wrote."""
        self.changes.add(schema.WRITES, **try_key(task, run_started_at), name=name, dataset=node.id, **values)

    def add_version(self, version: VersionKey, path: str, **values: Value) -> None:
        """A generation of an output."""
        key = {name: getattr(version, name) for name in VersionKey.model_fields}
        dataset = self.names.version(version).id
        self.changes.add(schema.VERSIONS, **key, dataset=dataset, path=path, **values)


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
