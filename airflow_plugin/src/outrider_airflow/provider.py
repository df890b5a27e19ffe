"""What Airflow reads to know of `@task.outrider` (entry point `apache_airflow_provider`)."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the form Airflow's `provider_info.schema.json` asks for."""
    return {
        "package-name": "outrider-airflow",
        "name": "Outrider",
        "description": "Environments for tasks: places, inputs, outputs, lineage.",
        "task-decorators": [{"name": "outrider", "class-name": "outrider_airflow.decorators.outrider_task"}],
    }
