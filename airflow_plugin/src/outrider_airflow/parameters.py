"""A task's params as its job gets them."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator, Context


def job_params(operator: BaseOperator, context: Context) -> Mapping[str, Any]:
    """Airflow's params of this task instance, Jinja in their author's own values rendered.

    What somebody gave when triggering the run is data: it is never rendered, or it could read connections.
    """
    authored = operator.params.dump() if hasattr(operator.params, "dump") else dict(operator.params)
    return {
        name: operator.render_template(value, context) if name in authored and authored[name] == value else value
        for name, value in dict(context["params"]).items()
    }
