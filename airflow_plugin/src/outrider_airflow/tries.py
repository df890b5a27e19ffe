"""Facts of tries, built from the task instance of a task process or the row of the scheduler or API server."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from outrider_contracts.airflow import AssetUpdated, TaskError, TaskFinished, TaskStarted, TaskState
from outrider_contracts.declarations import TaskDeclaration
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TaskKey, TryKey

from outrider_airflow import whose
from outrider_airflow.declared import declaration, declares
from outrider_airflow.reach import reach
from outrider_airflow.team import Binding

_NUMBER = re.compile(r"\d+|0x[0-9a-fA-F]+")


def started(task_instance: Any) -> tuple[Event, ...]:
    """The try began. One that is woken to look again has begun before: nothing."""
    binding = whose.of_task(task_instance)
    run = _run(task_instance)
    if binding is None or run is None or _looks_again(task_instance):
        return ()
    task = task_instance.task
    return (
        TaskStarted(
            task=_key(task_instance, binding),
            run_started_at=run.start_date,
            started_at=task_instance.start_date,
            logical_date=run.logical_date,
            run_after=run.run_after,
            operator=str(task.task_type),
            queue=str(task.queue),
            pool=str(task.pool),
            dag_version=str(reach(task_instance, "dag_version_id") or ""),
            bundle=str(reach(task_instance, "bundle_instance.name") or ""),
            bundle_version=reach(task_instance, "bundle_instance.version"),
            hostname=str(reach(task_instance, "hostname") or ""),
            team_rule=binding.rule,
            declaration=_declaration(task_instance),
            clear_number=run.clear_number or 0,
        ),
    )


def finished(task_instance: Any, state: TaskState, error: object = None, *, by_hand: bool = False) -> tuple[Event, ...]:
    """The try ended. A failure with tries left is `up_for_retry`, which Airflow tells by the instance's state.

    *by_hand*: a person says so, whatever was said before; Airflow leaves the end's time as it was.
    """
    binding = whose.of_task(task_instance)
    run = _run(task_instance)
    if binding is None or run is None or run.start_date is None:
        return ()
    if state == "failed" and str(getattr(task_instance.state, "value", task_instance.state)) == "up_for_retry":
        state = "up_for_retry"
    key = _key(task_instance, binding)
    said = TaskFinished(
        task=key,
        run_started_at=run.start_date,
        state=state,
        finished_at=datetime.now(UTC) if by_hand or task_instance.end_date is None else task_instance.end_date,
        started_at=task_instance.start_date,
        scheduled_at=reach(task_instance, "scheduled_dttm"),
        queued_at=reach(task_instance, "queued_dttm"),
        logical_date=run.logical_date,
        operator=str(reach(task_instance, "task.task_type") or reach(task_instance, "operator") or ""),
        queue=str(reach(task_instance, "task.queue") or reach(task_instance, "queue") or ""),
        pool=str(reach(task_instance, "task.pool") or reach(task_instance, "pool") or ""),
        bundle_version=reach(task_instance, "bundle_instance.version") or reach(run, "bundle_version"),
        team_rule=binding.rule,
        error=error_of(error),
    )
    assets = _assets(task_instance, key, said.finished_at) if state == "success" else ()
    return (*assets, said)


def error_of(error: object) -> TaskError | None:
    """The error's class and 16 hex digits over its first line, numbers aside; never its words."""
    if error is None:
        return None
    kind = f"{type(error).__module__}.{type(error).__qualname__}" if isinstance(error, BaseException) else "message"
    line = next(iter(_words(error).splitlines()), "")
    digest = hashlib.sha256(f"{kind}: {_NUMBER.sub('#', line)}".encode()).hexdigest()
    return TaskError(error_class=kind.removeprefix("builtins."), fingerprint=digest[:16])


def _words(error: object) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  an author's error may not be able to say itself, and the try has failed all the same
        return ""


def _run(task_instance: Any) -> Any:
    """The run as this process knows it."""
    return reach(task_instance, "_ti_context_from_server.dag_run") or reach(task_instance, "dag_run")


def _looks_again(task_instance: Any) -> bool:
    """Whether the try has put itself off before. Airflow puts off any task whose DAG its worker does not know yet, too,
    and those have not begun: so it was with all but sensors that reschedule, and jobs that wait for an input."""
    if not reach(task_instance, "_ti_context_from_server.task_reschedule_count"):
        return False
    told = _declaration(task_instance)
    waits = told is not None and any(each.wait for each in told.inputs.values())
    return waits or bool(reach(task_instance, "task.reschedule"))


def _declaration(task_instance: Any) -> TaskDeclaration | None:
    """What the rendered task declares; None where that can't be read, which the operator says better than we can."""
    if not declares(task_instance.task):
        return None
    try:
        return declaration(task_instance.task, mapped=task_instance.map_index >= 0)
    except ValueError:
        return None


def _key(task_instance: Any, binding: Binding) -> TryKey:
    task = TaskKey(
        **RunKey(team=binding.team, dag_id=task_instance.dag_id, run_id=task_instance.run_id).model_dump(),
        task_id=task_instance.task_id,
        map_index=-1 if task_instance.map_index is None else task_instance.map_index,
    )
    return task.attempt(task_instance.try_number)


def _assets(task_instance: Any, key: TryKey, at: datetime) -> tuple[Event, ...]:
    """Assets the try updated: its outlets, which Airflow updates when a task succeeds.

    Told here and not in the API server, which does not know the try; only a task process has the outlets.
    """
    outlets = reach(task_instance, "task.outlets") or ()
    return tuple(
        AssetUpdated(task=key, uri=str(outlet.uri), name=str(reach(outlet, "name") or outlet.uri), updated_at=at)
        for outlet in outlets
        if reach(outlet, "uri")
    )
