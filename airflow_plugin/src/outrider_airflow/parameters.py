"""A task's params as its job gets them."""

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk import BaseOperator, Context

from outrider_airflow.fenced import expanded
from outrider_airflow.reach import reach


def job_params(operator: BaseOperator, context: Context) -> Mapping[str, Any]:
    """Airflow's params of this task instance, Jinja in their author's own values rendered.

    What somebody gave when triggering the run, or another task returned, is data: it is never rendered, or it could
    read connections.
    """
    authored = list(_authored(operator))
    return {
        name: operator.render_template(value, context)
        if any(name in each and each[name] == value for each in authored)
        else value
        for name, value in dict(context["params"]).items()
    }


def _authored(operator: BaseOperator) -> Iterator[Mapping[str, Any]]:
    """The params that stand in the DAG's file: those of a mapped task for all its instances, and for single ones."""
    written = (reach(operator, "dag.task_dict") or {}).get(operator.task_id, operator)
    for params in (written.params, *expanded(written).get("params", ())):
        if isinstance(params, Mapping):
            yield params.dump() if hasattr(params, "dump") else params
