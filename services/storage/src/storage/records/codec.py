"""How values of the contracts stand in rows: keys as columns, documents as JSON text."""

import asyncpg
from outrider_bus.ports import Connection
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.keys import RunKey, TaskKey
from pydantic import TypeAdapter

Row = asyncpg.Record

__all__ = [
    "Connection", "Row", "inputs_json", "inputs_of", "run_columns", "run_of", "task_columns", "task_of", "version_of",
]  # fmt: skip

_INPUTS: TypeAdapter[dict[str, tuple[InputVersion, ...]]] = TypeAdapter(dict[str, tuple[InputVersion, ...]])


def run_columns(run: RunKey) -> tuple[str, str, str]:
    """team, dag_id, run_id."""
    return run.team, run.dag_id, run.run_id


def task_columns(task: TaskKey) -> tuple[str, str, str, str, int]:
    """team, dag_id, run_id, task_id, map_index."""
    return task.team, task.dag_id, task.run_id, task.task_id, task.map_index


def run_of(row: Row) -> RunKey:
    """The run a row belongs to."""
    return RunKey(team=row["team"], dag_id=row["dag_id"], run_id=row["run_id"])


def task_of(row: Row) -> TaskKey:
    """The task a row belongs to."""
    return TaskKey(
        team=row["team"], dag_id=row["dag_id"], run_id=row["run_id"], task_id=row["task_id"], map_index=row["map_index"]
    )


def inputs_json(inputs: dict[str, tuple[InputVersion, ...]]) -> str:
    """Resolved inputs as JSON text."""
    return _INPUTS.dump_json(inputs).decode()


def inputs_of(text: str | None) -> dict[str, tuple[InputVersion, ...]] | None:
    """Resolved inputs from JSON text; None: not resolved yet."""
    return None if text is None else _INPUTS.validate_json(text)


def version_of(row: Row) -> VersionKey:
    """The natural key of the version a row is about."""
    return VersionKey(**task_of(row).model_dump(), output=row["output"], generation=row["generation"])
