"""The graph of declarations of one DAG version, as said once before the first run that needs it."""

from collections.abc import Iterable, Iterator
from typing import Any

from outrider_contracts.airflow import GraphDeclared
from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.keys import RunKey

from outrider_airflow.declared import declaration, declares

CHUNK_BYTES = 256 * 1024
_AROUND = 4096
"""Room for what stands around the tasks: run, version, numbers."""


def declared_tasks(dag: Any) -> tuple[TaskDeclaration, ...]:
    """Tasks of *dag* (serialized) that declare something, and the tasks they read from, by task id."""
    found: dict[str, TaskDeclaration] = {}
    for task in dag.task_dict.values():
        if declares(task):
            told = declaration(task)
            if told.inputs or told.outputs or told.sources or told.destinations:
                found[told.task_id] = told
    for told in tuple(found.values()):
        for source in told.inputs.values():
            if source.dag is None and source.task in dag.task_dict:
                found.setdefault(source.task, TaskDeclaration(task_id=source.task))
    return tuple(found[task_id] for task_id in sorted(found))


def graph(run: RunKey, dag_version: str, tasks: Iterable[TaskDeclaration]) -> tuple[GraphDeclared, ...]:
    """Say *tasks* in chunks of at most `CHUNK_BYTES`; nothing where there are none."""
    parts = tuple(_chunks(tasks))
    return tuple(
        GraphDeclared(run=run, dag_version=dag_version, chunk=at, chunks=len(parts), tasks=part)
        for at, part in enumerate(parts)
    )


def _chunks(tasks: Iterable[TaskDeclaration]) -> Iterator[tuple[TaskDeclaration, ...]]:
    part: list[TaskDeclaration] = []
    size = 0
    for task in tasks:
        bytes_ = len(task.model_dump_json().encode()) + 1
        if part and size + bytes_ > CHUNK_BYTES - _AROUND:
            yield tuple(part)
            part, size = [], 0
        part.append(task)
        size += bytes_
    if part:
        yield tuple(part)
