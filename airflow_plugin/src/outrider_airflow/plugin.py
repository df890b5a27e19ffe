"""What Airflow loads (entry point `airflow.plugins`). Imported by every process of Airflow, so it imports little."""

from airflow.plugins_manager import AirflowPlugin

from outrider_airflow import listener
from outrider_airflow.macros import place, team


class OutriderPlugin(AirflowPlugin):
    """Tells Kafka what happens in Airflow."""

    name = "outrider"
    listeners = [listener]  # noqa: RUF012  as the base class has it
    macros = [place, team]  # noqa: RUF012
