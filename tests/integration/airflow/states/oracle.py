"""Airflow's database beside what was told: for every task instance and run, the last telling is what stands there."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from outrider_contracts.airflow import AirflowEvent, RunDeleted, RunFinished, RunStarted, TaskFinished
from outrider_contracts.keys import RunKey

from tests.integration.airflow.riding import Riding, of

MOMENT = timedelta(microseconds=1)
TaskId = tuple[str, str, str, int]
"""dag_id, run_id, task_id, map_index."""

_TASKS = """
SELECT coalesce(json_agg(json_build_array(t.dag_id, t.run_id, t.task_id, t.map_index, t.try_number, t.state)), '[]')
FROM task_instance t WHERE t.dag_id LIKE '{like}'
"""
_RUNS = """
SELECT coalesce(json_agg(json_build_array(dag_id, run_id, state, clear_number)), '[]')
FROM dag_run WHERE dag_id LIKE '{like}'
"""


@dataclass(frozen=True)
class Standing:
    """How things stand: each task's state with its try, each run's state with its clear number."""

    tasks: Mapping[TaskId, tuple[int, str]] = field(default_factory=dict)
    runs: Mapping[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def differences(self, told: "Standing") -> list[str]:
        """What is not told as it is, one line each."""
        wrong = [
            f"{key}: Airflow has {self.tasks.get(key)}, told {told.tasks.get(key)}"
            for key in sorted(self.tasks.keys() | told.tasks.keys())
            if self.tasks.get(key) != told.tasks.get(key)
        ]
        return wrong + [
            f"{key}: Airflow has {self.runs.get(key)}, told {told.runs.get(key)}"
            for key in sorted(self.runs.keys() | told.runs.keys())
            if self.runs.get(key) != told.runs.get(key)
        ]


def airflows(riding: Riding, like: str) -> Standing:
    """What Airflow's database holds of the DAGs whose ids are *like* that."""
    tasks = json.loads(riding.sql(_TASKS.format(like=like)))
    runs = json.loads(riding.sql(_RUNS.format(like=like)))
    return Standing(
        {(dag, run, task, index): (number, state) for dag, run, task, index, number, state in tasks},
        {(dag, run): (state, clears) for dag, run, state, clears in runs},
    )


def told(facts: Iterable[AirflowEvent]) -> Standing:
    """What a reader knows who believes of each task the last telling of its newest try, and forgets deleted runs:
    also what is said of them later, as a task's end that waited in the spool."""
    tasks: dict[TaskId, tuple[datetime, int, str]] = {}
    runs: dict[tuple[str, str], tuple[datetime, str, int]] = {}
    forgotten: dict[tuple[str, str], datetime] = {}

    def is_forgotten(run: tuple[str, str], start: datetime) -> bool:
        return run in forgotten and start <= forgotten[run]

    def forget(run: RunKey, until: datetime) -> None:
        forgotten[run.dag_id, run.run_id] = max(until, forgotten.get((run.dag_id, run.run_id), until))
        for key in [
            key for key, (start, *_) in tasks.items() if key[:2] == (run.dag_id, run.run_id) and start <= until
        ]:
            del tasks[key]
        if runs.get((run.dag_id, run.run_id), (until + MOMENT, ""))[0] <= until:
            del runs[run.dag_id, run.run_id]

    for fact in facts:
        if isinstance(fact, TaskFinished):
            task, start = fact.task, fact.run_started_at
            key = (task.dag_id, task.run_id, task.task_id, task.map_index)
            if is_forgotten(key[:2], start):
                continue
            if task.try_number >= tasks.get(key, (start, 0, ""))[1]:
                tasks[key] = (start, task.try_number, fact.state)
        elif isinstance(fact, RunFinished):
            if is_forgotten((fact.run.dag_id, fact.run.run_id), fact.run_started_at):
                continue
            runs[fact.run.dag_id, fact.run.run_id] = (fact.run_started_at, fact.state, fact.clear_number)
        elif isinstance(fact, RunDeleted):
            forget(fact.run, fact.run_started_at)
        elif isinstance(fact, RunStarted) and not fact.clear_number:
            forget(fact.run, fact.run_started_at - MOMENT)  # another run of that name
    return Standing({key: known[1:] for key, known in tasks.items()}, {key: known[1:] for key, known in runs.items()})


def told_twice(facts: Iterable[AirflowEvent], *, marked: Collection[str]) -> list[str]:
    """Ends of one try that were told under several ids, though they are one end.

    Not of gated tasks, nor of DAGs whose runs were *marked*: where a person marks what is running, Airflow has two
    hooks called.
    """
    ids: dict[tuple[object, ...], set[str]] = {}
    for fact in of(TaskFinished, facts):
        if fact.task.task_id != "gated" and fact.task.dag_id not in marked:
            ids.setdefault((fact.task, fact.state, fact.run_started_at), set()).add(fact.id)
    return [f"{key}: {len(found)} times" for key, found in ids.items() if len(found) > 1]
