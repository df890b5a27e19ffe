"""A real Airflow to sweep, and notebooks to write in."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from outrider_bus import MIGRATIONS as BUS_MIGRATIONS
from outrider_bus.database import PostgresDatabase
from outrider_chassis.airflow import AirflowApi
from outrider_chassis.database import Pool, open_pool
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_contracts.event import Event
from outrider_local import airflow_config
from outrider_local.handles import Database
from sweep.adapters.airflow import RestAirflow
from sweep.adapters.memory import FixedTeams, MemoryNotebook
from sweep.app import MIGRATIONS
from sweep.cases import Sweep, Terms
from sweep.records import PostgresNotebook

from tests.integration.airflow.riding import Riding
from tests.integration.conftest import Start

TEAM = "swept"
DAG = "swept_dag"
DAG_FILE = """
import os, signal
from datetime import timedelta
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task


@dag(schedule=None)
def swept_dag():
    @task
    def good():
        return [1, 2]

    @task
    def each(x):
        return x

    @task(retries=0)
    def killed():
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def after():
        pass

    @task.branch
    def branch():
        return "taken"

    @task
    def taken():
        pass

    @task
    def left():
        pass

    @task(retries=1, retry_delay=timedelta(seconds=0))
    def flaky(ti=None):
        if ti.try_number == 1:
            raise RuntimeError("once")

    each.expand(x=good())
    killed() >> after()
    branch() >> [taken(), left()]
    EmptyOperator(task_id="empty") >> flaky()


swept_dag()
"""


@pytest.fixture(scope="session")
def riding(start: Start) -> Iterator[Riding]:
    """A person at a running Airflow that knows the DAG to sweep."""
    riding = Riding.on(start("topics", "airflow"))
    riding.drop_dag(TEAM, DAG, DAG_FILE)
    yield riding
    riding.user.close()


@pytest.fixture
async def api(riding: Riding) -> AsyncIterator[AirflowApi]:
    """The client that storage and sweep use, as the user they are."""
    riding.stack.secrets.password("airflow-outrider")
    password_file = riding.stack.secrets.path("airflow-outrider")
    async with AirflowApi(airflow_config.url(riding.stack), "outrider", password_file) as api:
        yield api


@dataclass
class Rounds:
    """A sweep that waits for nobody; `said` is everything it says of one run."""

    sweep: Sweep
    notebook: MemoryNotebook
    told: int = 0

    async def said(self, run_id: str) -> list[Event]:
        await self.sweep.round()
        fresh = self.notebook.facts[self.told :]
        self.told = len(self.notebook.facts)
        return [fact for fact in fresh if fact.key().endswith(f"/{run_id}")]


@pytest.fixture
def rounds(api: AirflowApi) -> Rounds:
    """Beginning with what Airflow did in the last minute."""
    notebook = MemoryNotebook(datetime.now(UTC) - timedelta(minutes=1))
    none = timedelta(minutes=-1)  # the clock of HTTP tells whole seconds, and late; later still on a busy machine
    terms = Terms(patience=none, gone_grace=timedelta(0), checks_per_round=100)
    return Rounds(Sweep(RestAirflow(api), FixedTeams({TEAM: TEAM}), notebook, notebook, terms), notebook)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """The sweep's own database, migrated."""
    pool = await open_pool(database.url, database.password_file)
    await migrate(pool, [("bus", BUS_MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS), ("sweep", MIGRATIONS)])
    yield pool
    await pool.close()


@pytest.fixture
def notebook(pool: Pool) -> PostgresNotebook:
    """A notebook whose runs are always due."""
    return PostgresNotebook(
        pool,
        PostgresDatabase(pool, service="sweep"),
        lookback=timedelta(days=1),
        overlap=timedelta(seconds=120),
        patience=timedelta(0),
        remember=timedelta(days=14),
        recheck_open=timedelta(0),
        recheck_ended=timedelta(0),
    )
