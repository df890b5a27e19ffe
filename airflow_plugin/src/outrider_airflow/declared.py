"""Reads what a task declares, from every form Airflow has of a task: authored, mapped, serialized, rendered."""

from typing import Any

from outrider_contracts.declarations import TaskDeclaration, parse_declaration

from outrider_airflow.job_environment import check_names
from outrider_airflow.reach import reach

KINDS = ("inputs", "outputs", "sources", "destinations")
"""Attributes a task declares by. All of them are template fields of ours, which is why they are serialized."""


def declares(task: object) -> bool:
    """Say whether *task* is of an operator that takes declarations (it may declare nothing)."""
    fields = getattr(task, "template_fields", ())
    return "inputs" in fields and all(kind in fields for kind in KINDS)


def attribute(task: Any, name: str, default: object = None) -> Any:
    """What *task* was given as *name*; of a mapped task, what all its instances share."""
    partial = getattr(task, "partial_kwargs", None)
    value = getattr(task, name, None) if partial is None else partial.get(name)
    return default if value is None else value


def declaration(task: Any, *, mapped: bool | None = None) -> TaskDeclaration:
    """What *task* declares. An instance of a mapped task can't be told by its task: say it by *mapped*.

    Raises ValueError in the author's words.
    """
    told = {kind: attribute(task, kind, {}) for kind in KINDS}
    if wrong := [kind for kind, value in told.items() if not isinstance(value, dict)]:
        raise ValueError(f"task {task.task_id!r}: {wrong[0]} must be a dict, name -> declaration")
    for kind, value in told.items():
        check_names(f"task {task.task_id!r}: {kind}", value)
    if (group := mapped_group(task)) is not None:
        told["inputs"] = {name: _within(value, task, group) for name, value in told["inputs"].items()}
    return parse_declaration(
        task.task_id,
        operator=str(getattr(task, "task_type", "")),
        mapped=is_mapped(task) if mapped is None else mapped,
        mode=attribute(task, "mode", "files"),
        **{kind: dict(value) for kind, value in told.items()},
    )


def is_mapped(task: Any) -> bool:
    """Say whether a run may hold several instances of *task*: it is mapped itself, or by a group around it."""
    if getattr(task, "partial_kwargs", None) is not None:
        return True
    return mapped_group(task) is not None


def mapped_group(task: Any) -> str | None:
    """Id of the mapped task group around *task*; Airflow allows one at most."""
    group = getattr(task, "task_group", None)
    while group is not None:
        if hasattr(group, "_expand_input"):
            return str(group.group_id)
        group = getattr(group, "parent_group", None)
    return None


def _within(told: Any, task: Any, group: str) -> Any:
    """An input from the same mapped group is the instance's own part: Airflow runs the instances side by side."""
    if not isinstance(told, dict) or told.get("dag") is not None:
        return told
    producer = (reach(task, "dag.task_dict") or {}).get(told.get("task"))
    return {**told, "part": "own"} if producer is not None and mapped_group(producer) == group else told
