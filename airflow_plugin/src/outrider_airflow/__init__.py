"""Outrider inside Airflow, for DAG authors: `Input`, `Output`, `Source`, the operators, and `environment()`.

Imported in every process of Airflow, so each name is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outrider_contracts.declarations import Input, Output, Source

    from outrider_airflow.operators import LocalExecutionEnvironmentOperator
    from outrider_airflow.plain import environment

_WHERE = {
    "Input": "outrider_contracts.declarations",
    "Output": "outrider_contracts.declarations",
    "Source": "outrider_contracts.declarations",
    "LocalExecutionEnvironmentOperator": "outrider_airflow.operators",
    "environment": "outrider_airflow.plain",
}

__all__ = ["Input", "LocalExecutionEnvironmentOperator", "Output", "Source", "environment"]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
