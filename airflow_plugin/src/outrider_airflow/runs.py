"""Facts of DAG runs, built from the rows the scheduler and the API server hold."""

from collections.abc import Callable
from typing import Any, Literal

from outrider_contracts.airflow import RunFinished, RunReopened, RunStarted
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from outrider_airflow import whose
from outrider_airflow.graph import declared_tasks, graph
from outrider_airflow.reach import reach, reach_loaded

_graphs_said: set[tuple[str, str]] = set()


def started(dag_run: Any) -> tuple[Event, ...]:
    """The run began, or began again after tasks of it were cleared."""
    binding = whose.of_run(dag_run)
    if binding is None:
        return ()
    run = RunKey(team=binding.team, dag_id=dag_run.dag_id, run_id=dag_run.run_id)
    kind = RunReopened if dag_run.clear_number else RunStarted
    said = kind(
        run=run,
        run_started_at=dag_run.start_date,
        clear_number=dag_run.clear_number,
        run_after=dag_run.run_after,
        logical_date=dag_run.logical_date,
        data_interval_start=dag_run.data_interval_start,
        data_interval_end=dag_run.data_interval_end,
        run_type=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
        dag_version=_version(dag_run),
        bundle=str(reach_loaded(dag_run, "dag_model.bundle_name") or ""),
        bundle_version=dag_run.bundle_version,
        team_rule=binding.rule,
    )
    return (said,)


def finished(dag_run: Any, state: Literal["success", "failed"]) -> tuple[Event, ...]:
    """The run ended; nothing where it never began (a queued run that was marked by hand)."""
    binding = whose.of_run(dag_run)
    if binding is None or dag_run.start_date is None:
        return ()
    said = RunFinished(
        run=RunKey(team=binding.team, dag_id=dag_run.dag_id, run_id=dag_run.run_id),
        run_started_at=dag_run.start_date,
        clear_number=dag_run.clear_number,
        state=state,
        finished_at=dag_run.end_date,
        logical_date=dag_run.logical_date,
        run_after=dag_run.run_after,
    )
    return (said,)


def declared(dag_run: Any) -> Callable[[], tuple[Event, ...]] | None:
    """What reads what the tasks of the run's DAG version declare, once per process; None where that was said.

    It takes a while for a large DAG. It raises ValueError for what can't be read.
    """
    version = _version(dag_run)
    if (dag_run.dag_id, version) in _graphs_said:
        return None
    binding, dag = whose.of_run(dag_run), reach(dag_run, "dag")
    if binding is None or dag is None:
        return None
    _graphs_said.add((dag_run.dag_id, version))
    run = RunKey(team=binding.team, dag_id=dag_run.dag_id, run_id=dag_run.run_id)
    return lambda: graph(run, version, declared_tasks(dag))


def _version(dag_run: Any) -> str:
    return str(reach(dag_run, "created_dag_version_id") or "")
