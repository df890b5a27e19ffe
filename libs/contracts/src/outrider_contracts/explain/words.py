"""How moments, lengths, sizes and commands are spelt in an explanation."""

import json
from datetime import datetime, timedelta
from urllib.parse import quote

from outrider_contracts.keys import RunKey, TaskKey

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LENGTHS = ((86_400, "d"), (3600, "h"), (60, "min"))


def size(count: int) -> str:
    """Bytes as people read them."""
    number, unit = float(count), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def held(files: int, count: int) -> str:
    """Files and bytes."""
    return f"{files} file{'' if files == 1 else 's'}, {size(count)}"


def length(span: timedelta) -> str:
    """A length of time in its largest fitting unit; one that lies in the past counts as nothing."""
    seconds = max(0.0, span.total_seconds())
    for unit, name in _LENGTHS:
        if seconds >= 1.5 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"


def moment(at: datetime) -> str:
    """To the second, in UTC."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def error(error_class: str) -> str:
    """An error's class without its module: `outrider_airflow.errors.JobFailed` is `JobFailed`. Empty where the task's
    process raised none: then Airflow ended the try, with words of its own."""
    return "" if is_by_airflow(error_class) else error_class.rpartition(".")[2]


def is_by_airflow(error_class: str) -> bool:
    """Whether Airflow ended the try from outside; the listener, which was given no exception, says `message`."""
    return error_class == "message"


def task(task_id: str, map_index: int) -> str:
    """`task` or `task[map_index]`."""
    return f"{task_id}[{map_index}]" if map_index >= 0 else task_id


def holder(name: str, run: RunKey) -> str:
    """Who holds a version: of this run's own tasks their name alone, of others' the task without the run's start."""
    kind, _, named = name.partition(" ")
    if kind != "task":
        return name
    key = named.rpartition(" @")[0] or named
    own = key.removeprefix(f"{run.record_key}/")
    if own == key:
        return f"{kind} {key}"
    task_id, _, part = own.partition("/")
    return f"{kind} {task(task_id, int(part) if part.isdigit() else -1)} of this run"


def clear_command(key: TaskKey) -> str:
    """What makes Airflow run a task again, with all that reads it.

    By the API: the CLI's `--task-regex` looks for a part of the id since Airflow 3, so that it can't name one task.
    """
    body = {
        "dry_run": False,
        "dag_run_id": key.run_id,
        "task_ids": [key.task_id if key.map_index < 0 else [key.task_id, key.map_index]],
        "include_downstream": True,
        "only_failed": False,
    }
    return (
        f"clear task {task(key.task_id, key.map_index)} of run {key.run_id} in Airflow: "
        f"POST /api/v2/dags/{quote(key.dag_id, safe='')}/clearTaskInstances {json.dumps(body)}"
    )


def clears(command: str) -> bool:
    """Whether *command* is one that has a task cleared."""
    return "/clearTaskInstances " in command


def clear_run_command(dag_id: str, run_id: str) -> str:
    """What makes Airflow run all tasks of a run again."""
    path = f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}/clear"
    return f'clear run {run_id} in Airflow: POST {path} {{"dry_run": false}}'
