"""What Airflow loads (entry point `airflow.plugins`). Imported by every process of Airflow, so it imports little."""

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from outrider_airflow import listener
from outrider_airflow.macros import place, team
from outrider_airflow.tabs import registration

_TABS = bool(conf.get("outrider", "tabs_secret_file", fallback=""))
"""Told to the API server alone: no other process registers, or can serve, a tab."""


class OutriderPlugin(AirflowPlugin):
    """Tells Kafka what happens in Airflow, and shows in Airflow what is known of it."""

    name = "outrider"
    listeners = [listener]  # noqa: RUF012  as the base class has it
    fastapi_apps = registration.apps() if _TABS else []
    external_views = registration.views() if _TABS else []
    macros = [place, team]  # noqa: RUF012
