"""What a round of the sweep costs beside 1,000,000 task instances: nothing new, some ended, and without the index.

Runs against the Airflow of the stack that is up: fills its tables by SQL with runs of a paused DAG that is nowhere on
disk, lets a sweep that says nothing read them over REST, and removes them again.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from outrider_chassis.airflow import AirflowApi
from outrider_local import airflow_config, postgres
from outrider_local.stack import Stack
from sweep.adapters.airflow import RestAirflow
from sweep.adapters.memory import FixedTeams, MemoryNotebook
from sweep.cases import Sweep, Terms
from sweep.domain.seen import Cursor, Outcome

DAG = "outrider_bench_sweep"
PER_RUN = 1000
INDEX = "outrider_task_instance_updated_at"
FILL = (
    f"INSERT INTO dag_bundle (name, active) VALUES ('{DAG}', false)",
    f"""INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info,
                         max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits)
        VALUES ('{DAG}', true, false, '{DAG}', '', '{{}}', 1, 0, false)""",
    f"""INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after, queued_at, start_date, end_date, updated_at)
        SELECT '{DAG}', 'r' || n, 'manual', 'success', t, t, t, t, t
        FROM generate_series(1, $1::int) n, (SELECT now() - interval '1 day' AS t)""",
    f"""INSERT INTO task_instance (id, dag_id, run_id, task_id, map_index, try_number, max_tries, state, pool,
                                   pool_slots, queue, priority_weight, operator, start_date, end_date, updated_at,
                                   executor_config)
        SELECT gen_random_uuid(), '{DAG}', 'r' || run, 't' || task, -1, 1, 0, 'success', 'default_pool', 1,
               'default', 1, 'EmptyOperator', t, t, t, '\\x80057d942e'
        FROM generate_series(1, $1::int) run, generate_series(1, {PER_RUN}) task,
             (SELECT now() - interval '1 day' AS t)""",
)
EMPTY = (
    f"DELETE FROM task_instance WHERE dag_id = '{DAG}'",
    f"DELETE FROM dag_run WHERE dag_id = '{DAG}'",
    f"DELETE FROM dag WHERE dag_id = '{DAG}'",
    f"DELETE FROM dag_bundle WHERE name = '{DAG}'",
)
END = f"""UPDATE task_instance SET end_date = now(), updated_at = now()
WHERE dag_id = '{DAG}' AND run_id = 'r1' AND task_id = ANY (SELECT 't' || n FROM generate_series(1, $1::int) n)"""


@dataclass(frozen=True)
class Round:
    """One reading: how long it took, what it asked and what it said."""

    what: str
    seconds: float
    asked: int
    facts: int


class Counting(httpx.AsyncHTTPTransport):
    """Counts questions on their way."""

    asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return await super().handle_async_request(request)


async def read(api: AirflowApi, counting: Counting, what: str) -> Round:
    """One round of a sweep that was up to date two minutes ago and keeps its notebook in memory."""
    notebook = MemoryNotebook()
    now = datetime.now(UTC)
    for reading in ("runs", "tasks"):
        at = await notebook.at(reading)
        await notebook.write(Outcome(moved=(reading, at, Cursor(now))))
    none = timedelta(seconds=-5)  # the clock of HTTP tells whole seconds, and late
    sweep = Sweep(RestAirflow(api), FixedTeams({"": "bench"}), notebook, notebook, Terms(patience=none))
    asked, began = counting.asked, time.monotonic()
    await sweep.round()
    return Round(what, time.monotonic() - began, counting.asked - asked, len(notebook.facts))


async def measure(stack: Stack, rows: int, ended: int) -> list[Round]:
    """Fill, read, remove."""
    url, word = postgres.url(stack, "airflow"), stack.secrets.password("postgres-airflow")
    database = await asyncpg.connect(url, password=word)
    indexed = await database.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = $1", INDEX)
    try:
        for statement in EMPTY:
            await database.execute(statement, timeout=600)
        stack.secrets.password("airflow-outrider")
        counting = Counting()
        password = stack.secrets.path("airflow-outrider")
        api = AirflowApi(airflow_config.url(stack), "outrider", password, timeout_seconds=300, transport=counting)
        async with api:
            rounds = [await read(api, counting, "no rows, warm-up"), await read(api, counting, "no rows")]
            for statement in FILL:
                await database.execute(statement, *([rows // PER_RUN] if "$1" in statement else []), timeout=900)
            await database.execute("ANALYZE task_instance")
            rounds += [await read(api, counting, f"{rows} rows, nothing new") for _ in range(3)]
            await database.execute(END, ended)
            rounds.append(await read(api, counting, f"{rows} rows, {ended} ended"))
            await database.execute(f"DROP INDEX IF EXISTS {INDEX}")
            rounds.append(await read(api, counting, f"{rows} rows, {ended} ended, no index"))
            return rounds
    finally:
        for statement in EMPTY:
            await database.execute(statement, timeout=900)
        await database.execute(indexed or f"CREATE INDEX IF NOT EXISTS {INDEX} ON task_instance (updated_at)")
        await database.execute("VACUUM ANALYZE task_instance", timeout=900)
        await database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".outrider"), help="home of the stack (.outrider)")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ended", type=int, default=500)
    options = parser.parse_args()
    for each in asyncio.run(measure(Stack.open(options.home.absolute()), options.rows, options.ended)):
        print(f"{each.what:42} {each.seconds * 1000:8.0f} ms {each.asked:4} questions {each.facts:5} facts")


if __name__ == "__main__":
    main()
