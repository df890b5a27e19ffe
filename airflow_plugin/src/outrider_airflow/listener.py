"""Airflow's listener hooks: a guard and one call each. None raises, and none waits for the broker but a task's last.

`tryfirst`, because pluggy silences the listeners behind one that raises. The hooks and what each process hands to
them: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from airflow.listeners import hookimpl

from outrider_airflow.settings import settings

_log = logging.getLogger(__name__)


@hookimpl(tryfirst=True)
def on_starting(component: object) -> None:
    """A scheduler, dag-processor, triggerer or task begins; in a task this is before the DAG's file is read."""
    with _quietly("starting"):
        if file := settings().bundles_file:
            from outrider_airflow import bundles

            bundles.refresh(file)
    with _quietly("starting"):
        if settings().bootstrap_servers and not _is_task(component):
            from outrider_airflow import keeper

            if "scheduler" in sys.argv:
                _warm()
            keeper.keep()


@hookimpl(tryfirst=True)
def before_stopping(component: object) -> None:
    """A task that is deferred or put off ends here; no other hook tells."""
    with _quietly("stopping"):
        if settings().bootstrap_servers and _is_task(component):
            _settle()


@hookimpl(tryfirst=True)
def on_dag_run_running(dag_run: Any) -> None:
    """A run begins, or begins again. What its DAG's tasks declare is read aside: a large DAG would hold up the loop."""
    with _quietly("run started"):
        if settings().bootstrap_servers:
            from outrider_airflow import runs

            _say_on(runs.started(dag_run), dag_run)
    with _quietly("graph declared"):
        if settings().bootstrap_servers:
            from outrider_airflow import keeper, runs

            if later := runs.declared(dag_run):
                keeper.say(later, like=dag_run)


@hookimpl(tryfirst=True)
def on_dag_run_success(dag_run: Any) -> None:
    """A run succeeded."""
    with _quietly("run finished"):
        if settings().bootstrap_servers:
            from outrider_airflow import runs

            _say_on(runs.finished(dag_run, "success"), dag_run)


@hookimpl(tryfirst=True)
def on_dag_run_failed(dag_run: Any) -> None:
    """A run failed."""
    with _quietly("run finished"):
        if settings().bootstrap_servers:
            from outrider_airflow import runs

            _say_on(runs.finished(dag_run, "failed"), dag_run)


@hookimpl(tryfirst=True)
def on_task_instance_running(task_instance: Any) -> None:
    """A try begins, in the task's process; its work waits for this hook."""
    with _quietly("task started"):
        if settings().bootstrap_servers:
            from outrider_airflow import trace, tries
            from outrider_airflow.publisher import publisher

            publisher().say(tries.started(task_instance), traceparent=trace.airflows_own(task_instance))


@hookimpl(tryfirst=True)
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """A try succeeded, or a person says so."""
    with _quietly("task finished"):
        _finish(previous_state, task_instance, "success", None)


@hookimpl(tryfirst=True)
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: object) -> None:
    """A try failed for good, or will be tried again."""
    with _quietly("task finished"):
        _finish(previous_state, task_instance, "failed", error)


@hookimpl(tryfirst=True)
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """A task skipped itself, or a person skipped it."""
    with _quietly("task finished"):
        _finish(previous_state, task_instance, "skipped", None)


@hookimpl(tryfirst=True)
def on_asset_created(asset: Any) -> None:
    """The dag-processor met an asset for the first time."""
    with _quietly("asset created"):
        if settings().bootstrap_servers:
            from outrider_airflow import assets

            _say_on(assets.created(asset), asset)


@hookimpl(tryfirst=True)
def on_asset_alias_created(asset_alias: Any) -> None:
    """The dag-processor met an alias for the first time."""
    with _quietly("asset alias created"):
        if settings().bootstrap_servers:
            from outrider_airflow import assets

            _say_on(assets.alias_created(asset_alias), asset_alias)


@hookimpl(tryfirst=True)
def on_asset_event_emitted(asset_event: Any) -> None:
    """An asset changed. `on_asset_changed` says the same at the same time, without by whom."""
    with _quietly("asset changed"):
        if settings().bootstrap_servers:
            from outrider_airflow import assets

            _say_on(assets.changed(asset_event), asset_event)


def _finish(previous_state: Any, task_instance: Any, state: Any, error: object) -> None:
    if not settings().bootstrap_servers:
        return
    from outrider_airflow import tries

    in_task = type(task_instance).__name__ == "RuntimeTaskInstance"
    said = tries.finished(task_instance, state, error, by_hand=previous_state is None and not in_task)
    if not in_task:
        _say_on(said, task_instance)
        return
    from outrider_airflow import trace
    from outrider_airflow.publisher import publisher

    publisher().say(said, traceparent=trace.airflows_own(task_instance))
    _settle()


def _say_on(events: Any, row: Any) -> None:
    """Have *events* of *row* said by the keeper of a process that lives on: nothing waits for a broker or a disk."""
    from outrider_airflow import keeper

    keeper.say(lambda: events, like=row)


def _settle() -> None:
    from outrider_airflow.publisher import publisher

    publisher().settle()
    publisher().drain(limit=100, seconds=1.0)


def _warm() -> None:
    """Load what every task needs, once: the scheduler's forks inherit it."""
    import confluent_kafka  # noqa: F401

    from outrider_airflow import graph, publisher, runs, trace, tries  # noqa: F401


def _is_task(component: object) -> bool:
    return type(component).__name__ == "TaskRunnerMarker"


@contextlib.contextmanager
def _quietly(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # noqa: BLE001  a listener that raises silences the others and tells nobody
        _log.warning("outrider could not tell: %s", what, exc_info=True)
