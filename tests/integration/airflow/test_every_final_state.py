"""DAGs that nobody wrote, and everything that may happen to their runs: the last word told is what Airflow holds.

OUTRIDER_STATES_SEED=7 makes other DAGs and other happenings; a failure prints its seed.
"""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from outrider_contracts.airflow import AirflowEvent
from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding
from tests.integration.airflow.states.acts import ACTS, await_gate, run_is_marked, times_out
from tests.integration.airflow.states.generator import GeneratedDag, generate
from tests.integration.airflow.states.oracle import airflows, told, told_twice

TEAM = "anybody"
SEED = int(os.environ.get("OUTRIDER_STATES_SEED") or 1)
TRIGGERERS = "airflow-triggerers"
TOLD_SECONDS = 90.0
"""An end is left to the listener for ten seconds; the rest is for a busy machine."""


def test_the_last_word_told_is_what_airflow_holds(swept: Riding) -> None:
    """Of every task instance and every run, however it ended."""
    without = () if swept.stack.processes.alive(TRIGGERERS) else ("deferred",)
    dags = generate(SEED, dags=len(ACTS) + 1, pieces=3, without=without)
    directory = deliver(swept, dags)
    acts = dict(
        zip([dag.dag_id for dag in dags], [*random.Random(SEED).sample(ACTS, len(ACTS)), times_out], strict=True)
    )

    def ride(dag: GeneratedDag) -> None:
        run = swept.user.trigger(dag.dag_id, run_id=f"run_{dag.dag_id}")
        if acts[dag.dag_id] is not times_out:  # its time may be over before a worker is free for its task
            await_gate(directory, dag.dag_id)
        acts[dag.dag_id](swept, dag.dag_id, run, directory, random.Random(dag.dag_id))

    with ThreadPoolExecutor(len(dags)) as people:
        list(people.map(ride, dags))
    like = f"any_{SEED}_%"
    assert wait_until(lambda: everything_ended(swept, like), seconds=SECONDS, every=1)

    wrong: list[str] = []
    heard: list[AirflowEvent] = []

    def agree() -> bool:
        heard[:] = swept.hear_dags(f"any_{SEED}_")
        wrong[:] = airflows(swept, like).differences(told(heard))
        return not wrong

    agreed = wait_until(agree, seconds=TOLD_SECONDS, every=2)

    happened = {dag_id: act.__name__ for dag_id, act in acts.items()}
    assert agreed, f"seed {SEED}, {happened}\n" + "\n".join(wrong)
    assert told_twice(heard, marked=[dag_id for dag_id, act in acts.items() if act is run_is_marked]) == []


def deliver(riding: Riding, dags: list[GeneratedDag]) -> Path:
    """Write all files, then wait until Airflow knows each DAG."""
    directory = riding.bring_team(TEAM)
    for dag in dags:
        (directory / f"{dag.dag_id}.py").write_text(dag.source)
    for dag in dags:
        known = wait_until(
            lambda dag=dag: riding.user.knows(dag.dag_id) or bool(riding.refusals(f"{dag.dag_id}.py")),  # type: ignore[misc]
            seconds=SECONDS,
            every=0.5,
        )
        assert known, f"Airflow never read {dag.dag_id}"
        assert riding.refusals(f"{dag.dag_id}.py") == []
    return directory


def everything_ended(riding: Riding, like: str) -> bool:
    """No run goes on."""
    return riding.sql(f"SELECT count(*) FROM dag_run WHERE dag_id LIKE '{like}' AND end_date IS NULL") == "0"
