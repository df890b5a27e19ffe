"""Outrider inside Airflow, for DAG authors: declarations, operators, the sensor, assets of outputs, `environment()`.

Imported in every process of Airflow, so each name is loaded when it is first asked for. `@task.outrider` needs no
import: Airflow finds it by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outrider_contracts.declarations import Input, Output, Source

    from outrider_airflow.operators import LocalExecutionEnvironmentOperator
    from outrider_airflow.output_assets import output_asset
    from outrider_airflow.plain import environment
    from outrider_airflow.pod.operator import ExecutionEnvironmentOperator
    from outrider_airflow.sensor import OutputSensor
    from outrider_airflow.spark.operator import SparkExecutionEnvironmentOperator

_WHERE = {
    "Input": "outrider_contracts.declarations",
    "Output": "outrider_contracts.declarations",
    "Source": "outrider_contracts.declarations",
    "LocalExecutionEnvironmentOperator": "outrider_airflow.operators",
    "ExecutionEnvironmentOperator": "outrider_airflow.pod.operator",
    "SparkExecutionEnvironmentOperator": "outrider_airflow.spark.operator",
    "OutputSensor": "outrider_airflow.sensor",
    "environment": "outrider_airflow.plain",
    "output_asset": "outrider_airflow.output_assets",
}

__all__ = [
    "ExecutionEnvironmentOperator",
    "Input",
    "LocalExecutionEnvironmentOperator",
    "Output",
    "OutputSensor",
    "Source",
    "SparkExecutionEnvironmentOperator",
    "environment",
    "output_asset",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
