"""Airflow's listener hooks: a guard and one call each. They never raise: pluggy would silence other listeners."""

from airflow.listeners import hookimpl

from outrider_airflow import bundles
from outrider_airflow.settings import settings


@hookimpl(tryfirst=True)
def on_starting(component: object) -> None:
    """A scheduler, dag-processor, triggerer or task begins."""
    if file := settings().bundles_file:
        bundles.refresh(file)
