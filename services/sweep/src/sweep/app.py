"""Puts the sweep together: what it hears, its rounds, and how it tells where it stands."""

from datetime import timedelta
from pathlib import Path

from outrider_chassis.airflow import AirflowApi
from outrider_chassis.service import Resources
from outrider_chassis.teams import TeamsProjection
from outrider_contracts.airflow import (
    AirflowEvent,
    RunDeleted,
    RunFinished,
    RunReopened,
    RunStarted,
    TaskFinished,
    TaskStarted,
)

from sweep.adapters.airflow import RestAirflow
from sweep.adapters.teams import PostgresTeams
from sweep.api import routes
from sweep.cases import Sweep, Terms
from sweep.handlers import learn
from sweep.records import PostgresNotebook
from sweep.settings import Settings
from sweep.timers import keep_going

MIGRATIONS = Path(__file__).parent / "migrations"
GROUP = "sweep"
HEARS = (RunStarted, RunReopened, RunFinished, RunDeleted, TaskStarted, TaskFinished)
_FOLLOWS_AIRFLOW = "the sweep asks Airflow after what it remembers, and says that it is deleted where Airflow lacks it"


async def wire(resources: Resources[Settings]) -> None:
    """Give the sweep everything it uses and set it going."""
    settings, pool, bus = resources.settings, resources.pool, resources.bus
    api = await resources.stack.enter_async_context(
        AirflowApi(settings.airflow_url, settings.airflow_username, settings.airflow_password_file)
    )
    overlap = timedelta(seconds=settings.overlap_seconds)
    notebook = PostgresNotebook(
        pool,
        bus.database,
        lookback=timedelta(seconds=settings.lookback_seconds),
        overlap=overlap,
        patience=timedelta(seconds=settings.patience_seconds),
        remember=timedelta(seconds=settings.remember_seconds),
        recheck_open=timedelta(seconds=settings.recheck_open_seconds),
        recheck_ended=timedelta(seconds=settings.recheck_ended_seconds),
    )
    sweep = Sweep(
        airflow=RestAirflow(api),
        teams=PostgresTeams(pool),
        notebook=notebook,
        bookmarks=notebook,
        terms=Terms(
            overlap=overlap,
            patience=timedelta(seconds=settings.patience_seconds),
            gone_grace=timedelta(seconds=settings.gone_grace_seconds),
            checks_per_round=settings.checks_per_round,
        ),
    )
    TeamsProjection(pool).listen(bus, f"{GROUP}-teams")
    bus.batches(
        group=GROUP,
        topics=(AirflowEvent.topic,),
        types=HEARS,
        handler=learn,
        never_again=dict.fromkeys(HEARS, _FOLLOWS_AIRFLOW),
    )
    resources.app.include_router(routes(sweep, notebook))
    resources.metrics.gauge(
        "outrider_sweep_runs_behind_seconds", "How far reading runs is behind.", lambda: sweep.behind_seconds("runs")
    )
    resources.metrics.gauge(
        "outrider_sweep_tasks_behind_seconds", "How far reading tasks is behind.", lambda: sweep.behind_seconds("tasks")
    )
    resources.background.append(lambda: keep_going(sweep, settings.interval_seconds))
