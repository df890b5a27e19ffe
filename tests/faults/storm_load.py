"""What two teams do in the storm, drawn from a seed: what Airflow says, what its tasks ask of storage and write."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from outrider_contracts.airflow import GraphDeclared, RunFinished, RunStarted, TaskFinished, TaskStarted
from outrider_contracts.declarations import InputDeclaration, OutputDeclaration, TaskDeclaration
from outrider_contracts.event import Event
from outrider_contracts.http import EnsureRequest, SealRequest
from outrider_contracts.keys import RunKey, TryKey

TEAMS = ("north", "south")
_KEPT = OutputDeclaration(retention="forever")
"""What a removal waits for is Airflow's answer, and there is no Airflow here."""
_DECLARED = (
    TaskDeclaration(task_id="extract", outputs={"orders": _KEPT}),
    TaskDeclaration(
        task_id="report",
        inputs={"orders": InputDeclaration(task="extract", output="orders")},
        outputs={"table": _KEPT, "chart": _KEPT},
    ),
    TaskDeclaration(task_id="notify"),
)
_SAID_TWICE = 0.05
_STEP = timedelta(milliseconds=100)

Step = Event | EnsureRequest | SealRequest
"""Airflow says a fact; or a task asks for its environment; or, having written its outputs, has them sealed."""


@dataclass(frozen=True)
class Start:
    """A run as every fact of it names it."""

    run: RunKey
    at: datetime

    @property
    def told(self) -> dict[str, datetime]:
        return {"run_started_at": self.at, "run_after": self.at, "logical_date": self.at}


def load(seed: str, base: datetime, runs: int) -> list[list[Step]]:
    """What happens in each run, in this order; some facts are said twice."""
    chance = random.Random(f"{seed} storm")
    drawn = []
    for number in range(runs):
        run = RunKey(team=TEAMS[number % 2], dag_id="daily", run_id=f"r{number}")
        drawn.append(list(_twice(_run(Start(run, base + timedelta(seconds=number)), chance), chance)))
    return drawn


def _twice(steps: Iterator[Step], chance: random.Random) -> Iterator[Step]:
    for step in steps:
        yield step
        if chance.random() < _SAID_TWICE:
            yield step


def _run(start: Start, chance: random.Random) -> Iterator[Step]:
    now, state = start.at, "success"
    yield RunStarted(run=start.run, **start.told, dag_version="v1")
    yield GraphDeclared(run=start.run, dag_version="v1", tasks=_DECLARED)
    for declared in _DECLARED:
        lives = chance.choices(("success", "retried", "failed"), (80, 15, 5))[0]
        ends = {"success": ("success",), "retried": ("up_for_retry", "success"), "failed": ("failed",)}[lives]
        for number, end in enumerate(ends, 1):
            tried = TryKey(**start.run.model_dump(), task_id=declared.task_id, try_number=number)
            now += _STEP
            yield from _try(start, tried, declared, now, end)
        if lives == "failed":
            state = "failed"
            break
    ended = {"run": start.run, **start.told, "state": state, "finished_at": now + _STEP}
    yield RunFinished.model_validate(ended)


def _try(start: Start, tried: TryKey, declared: TaskDeclaration, at: datetime, end: str) -> Iterator[Step]:
    works = declared if declared.outputs else None  # another operator needs no environment
    yield TaskStarted(task=tried, **start.told, started_at=at, operator="Local", declaration=works)
    if works:
        yield EnsureRequest(task=tried, **start.told, declaration=works)
        outcome = "success" if end == "success" else "failed"
        yield SealRequest.model_validate({"task": tried, "run_started_at": start.at, "outcome": outcome})
    told = {"task": tried, "run_started_at": start.at, "state": end, "finished_at": at + _STEP / 2}
    yield TaskFinished.model_validate(told)
