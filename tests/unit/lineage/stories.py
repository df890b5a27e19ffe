"""Facts as they come from a running Airflow: two teams, a mapped task, retries, clears, a run created again."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from outrider_contracts.airflow import (
    GraphDeclared,
    RunDeleted,
    RunFinished,
    RunReopened,
    RunStarted,
    TaskError,
    TaskFinished,
    TaskStarted,
)
from outrider_contracts.declarations import InputDeclaration, OutputDeclaration, SourceDeclaration, TaskDeclaration
from outrider_contracts.environments import (
    EnvironmentReady,
    EnvironmentSealed,
    InputVersion,
    OutputPlace,
    SealedOutput,
    VersionCleared,
    VersionDoomed,
    VersionKey,
    VersionRestored,
)
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TaskKey, TryKey
from outrider_contracts.places import generation_path, place

Inputs = Mapping[str, tuple[InputVersion, ...]] | None

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DATE = datetime(2026, 11, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment of the story."""
    return START + timedelta(seconds=seconds)


def run_key(team: str = "ads", dag_id: str = "daily", run_id: str = "scheduled__2026-11-01") -> RunKey:
    return RunKey(team=team, dag_id=dag_id, run_id=run_id)


def task_key(task_id: str, run: RunKey | None = None, map_index: int = -1) -> TaskKey:
    return TaskKey(**(run or run_key()).model_dump(), task_id=task_id, map_index=map_index)


def version(task: TaskKey, output: str, generation: int = 1) -> InputVersion:
    key = VersionKey(**task.task.model_dump(), output=output, generation=generation)
    return InputVersion(version=key, path=generation_path(place(task, DATE), output, generation))


def run_started(run: RunKey, seconds: float = 0, **more: Any) -> RunStarted:
    return RunStarted(
        run=run, run_started_at=at(seconds), run_after=DATE, logical_date=DATE, data_interval_start=DATE,
        data_interval_end=DATE + timedelta(days=1), run_type="scheduled", dag_version="v1", **more,
    )  # fmt: skip


def task_started(
    task: TryKey, seconds: float, declaration: TaskDeclaration | None = None, run: float = 0
) -> TaskStarted:
    return TaskStarted(
        task=task, run_started_at=at(run), started_at=at(seconds), logical_date=DATE, run_after=DATE,
        operator="LocalExecutionEnvironmentOperator" if declaration else "PythonOperator", declaration=declaration,
    )  # fmt: skip


def task_finished(task: TryKey, seconds: float, state: Any = "success", run: float = 0, **more: Any) -> TaskFinished:
    return TaskFinished(
        task=task, run_started_at=at(run), state=state, finished_at=at(seconds), logical_date=DATE, **more
    )


def sealed(
    task: TryKey, seconds: float, outputs: Sequence[str] = (),
    inputs: Inputs = None, *, generation: int = 1, outcome: Any = "success", run: float = 0, **more: Any,
) -> EnvironmentSealed:  # fmt: skip
    written = {name: version(task, name, generation) for name in outputs}
    return EnvironmentSealed(
        task=task, run_started_at=at(run), generation=generation, outcome=outcome, logical_date=DATE,
        outputs={
            name: SealedOutput(version=w.version, path=w.path, files=2, bytes=1000 * generation, expires="3d")
            for name, w in written.items()
        },
        inputs=dict(inputs or {}), sealed_at=at(seconds), **more,
    )  # fmt: skip


def ready(
    task: TryKey, seconds: float, inputs: Inputs = None, *, generation: int = 1,
    outputs: Sequence[str] = (), run: float = 0,
) -> EnvironmentReady:  # fmt: skip
    return EnvironmentReady(
        task=task, run_started_at=at(run), generation=generation, place=place(task, DATE), inputs=dict(inputs or {}),
        outputs={name: OutputPlace(path=version(task, name, generation).path) for name in outputs},
        ready_at=at(seconds),
    )  # fmt: skip


EXTRACT = TaskDeclaration(
    task_id="extract", outputs={"orders": OutputDeclaration()}, sources={"raw": SourceDeclaration(connection="shop")}
)
TRANSFORM = TaskDeclaration(
    task_id="transform", mapped=True, inputs={"orders": InputDeclaration(task="extract", output="orders")},
    outputs={"daily": OutputDeclaration(retention="7d")},
)  # fmt: skip
REPORT = TaskDeclaration(
    task_id="report", outputs={"page": OutputDeclaration()},
    inputs={"daily": InputDeclaration(team="ads", dag="daily", task="transform", output="daily")},
)  # fmt: skip


def story() -> list[Event]:
    """Everything that may happen, in the order in which it happened."""
    run, orders = run_key(), version(task_key("extract"), "orders")
    extract, check = task_key("extract").attempt(1), task_key("check").attempt(1)
    said: list[Event] = [
        run_started(run),
        GraphDeclared(run=run, dag_version="v1", tasks=(EXTRACT, TRANSFORM)),
        ready(extract.attempt(0), 0.1, outputs=["orders"]),
        task_started(extract, 1, EXTRACT),
        ready(extract, 1.1, outputs=["orders"]),
        sealed(extract, 3, ["orders"], sources={"raw": "shop"}),
        task_finished(extract, 4),
        task_started(check, 5),
        task_finished(check, 6),
        task_finished(task_key("branch").attempt(0), 6, "skipped"),
    ]
    for index in range(2):
        first, second = (task_key("transform", map_index=index).attempt(n) for n in (1, 2))
        inputs = {"orders": (orders,)}
        said += [
            task_started(first, 7 + index, TRANSFORM),
            ready(first, 7.2 + index, inputs),
            sealed(first, 8 + index, ["daily"], inputs, outcome="failed"),
            task_finished(
                first, 8.5 + index, "up_for_retry", started_at=at(7 + index),
                error=TaskError(error_class="ValueError", fingerprint="0123456789abcdef"),
            ),
            task_started(second, 10 + index, TRANSFORM),
            ready(second, 10.1 + index, inputs, generation=2),
            sealed(second, 11 + index, ["daily"], inputs, generation=2, destinations={"copy": "s3://lake/daily"}),
            task_finished(second, 11.5 + index),
        ]  # fmt: skip
    lost = task_key("lost").attempt(1)
    said += [
        task_started(lost, 12), task_finished(lost, 14, "lost"), task_finished(lost, 13, "success"),
        RunFinished(run=run, run_started_at=at(0), state="success", finished_at=at(15), logical_date=DATE),
        # somebody clears one task, then marks another's old try as failed
        RunReopened.model_validate({**run_started(run, 20, clear_number=1).model_dump()}),
        task_started(extract.attempt(2), 21, EXTRACT, run=20),
        sealed(extract.attempt(2), 22, ["orders"], generation=2, run=20),
        task_finished(extract.attempt(2), 23, run=20),
        task_finished(check, 24, "failed", run=20, started_at=at(5)),
        RunFinished(run=run, run_started_at=at(20), clear_number=1, state="failed", finished_at=at(25)),
    ]  # fmt: skip
    news = run_key("news", "front", "manual__1")
    page = task_key("report", news).attempt(1)
    daily = tuple(version(task_key("transform", map_index=i), "daily", 2) for i in range(2))
    said += [
        run_started(news, 30), task_started(page, 31, REPORT, run=30), ready(page, 31.5, {"daily": daily}, run=30),
        sealed(page, 32, ["page"], {"daily": daily}, run=30), task_finished(page, 33, run=30),
        RunFinished(run=news, run_started_at=at(30), state="success", finished_at=at(34)),
        RunDeleted(run=news, run_started_at=at(30), seen_at=at(40)),
        # the same run id once more
        run_started(news, 50), task_started(page, 51, REPORT, run=50), task_finished(page, 52, "failed", run=50),
    ]  # fmt: skip
    old = orders.version
    said += [
        VersionDoomed(version=old, path=orders.path, reason="retention", not_before=at(200), doomed_at=at(100)),
        VersionRestored(version=old, path=orders.path, reason="asked", restored_at=at(110)),
        VersionDoomed(version=old, path=orders.path, reason="retention", not_before=at(300), doomed_at=at(120)),
        VersionCleared(version=old, path=orders.path, reason="retention", objects=2, bytes=1000, cleared_at=at(301)),
    ]
    return said


def disordered(events: Sequence[Event], seed: int) -> list[list[Event]]:
    """The same facts in another order, a third of them twice, in batches of varying sizes."""
    dice = random.Random(seed)
    heard = [*events, *dice.sample(list(events), len(events) // 3)]
    dice.shuffle(heard)
    batches: list[list[Event]] = []
    while heard:
        size = dice.choice([1, 2, 5, 50])
        batches.append(heard[:size])
        heard = heard[size:]
    return batches
