"""What the hooks cost the scheduler, and that what waits there is said."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from airflow._shared.listeners import hookimpl
from airflow._shared.listeners.spec import taskinstance
from airflow.listeners.spec import dagrun
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization
from outrider_airflow import Input, Output, keeper, listener, runs, whose
from outrider_airflow import publisher as publishing
from outrider_airflow.graph import CHUNK_BYTES
from outrider_airflow.settings import Settings
from outrider_contracts.airflow import GraphDeclared, RunStarted
from outrider_contracts.envelope import Record, encode
from outrider_contracts.event import Event

TASKS = 5000
BOUND_SECONDS = 0.005
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Declaring(BaseOperator):
    """An operator that takes declarations."""

    template_fields = ("inputs", "outputs", "sources", "destinations", "mode")

    def __init__(self, *, inputs: Any = None, **rest: Any):
        super().__init__(**rest)
        self.inputs, self.outputs = inputs or {}, {"rows": Output(retention="7d")}
        self.sources: dict[str, Any] = {}
        self.destinations: dict[str, Any] = {}
        self.mode = "files"


@pytest.fixture(scope="module")
def large() -> Any:
    """A DAG of 5,000 tasks that all declare something, as the scheduler has it."""
    with DAG("large", schedule=None) as written:
        for number in range(TASKS):
            inputs = {"rows": Input(f"t{number - 1}", "rows")} if number else {}
            Declaring(task_id=f"t{number}", inputs=inputs)
    return DagSerialization.from_dict(DagSerialization.to_dict(written))


def dag_run(dag: Any, version: str) -> SimpleNamespace:
    return SimpleNamespace(
        dag_id=dag.dag_id, run_id=f"r_{version}", dag=dag, _team_name="ads", clear_number=0, start_date=NOW,
        end_date=None, run_after=NOW, logical_date=None, data_interval_start=None, data_interval_end=None,
        run_type="manual", bundle_version=None, created_dag_version_id=version, context_carrier={},
    )  # fmt: skip


class Heard:
    """Stands where the producer does, so that the hook's own work is what is measured; encodes as the publisher."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.records: list[Record] = []
        self.later: list[Callable[[], Iterable[Event]]] = []

    def say(self, events: Any, *, traceparent: str = "") -> None:
        for event in events:
            self.events.append(event)
            self.records.append(encode(event, source="airflow", traceparent=traceparent))

    def aside(self, later: Callable[[], Iterable[Event]], *, like: object) -> None:
        """Stands where the keeper's thread does."""
        self.later.append(later)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Heard]:
    site = Settings(bootstrap_servers="127.0.0.1:9", spool_directory=str(tmp_path))
    heard = Heard()
    for module in (listener, whose):
        monkeypatch.setattr(module, "settings", lambda: site)
    for module in (publishing, keeper):
        monkeypatch.setattr(module, "publisher", lambda: heard)
    monkeypatch.setattr(keeper, "keep", lambda: None)
    runs._graphs_said.clear()
    yield heard
    runs._graphs_said.clear()


def test_a_run_of_five_thousand_tasks_holds_the_scheduler_up_for_less_than_five_milliseconds(
    large: Any, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPU time of the hook's own thread: what else the machine does is not the hook's. Each run is a new version."""
    monkeypatch.setattr(keeper, "say", heard.aside)
    listener.on_dag_run_running(dag_run=dag_run(large, "warm-up"))
    took = []
    for number in range(7):
        began = time.thread_time()
        listener.on_dag_run_running(dag_run=dag_run(large, f"v{number}"))
        took.append(time.thread_time() - began)

    assert sorted(took)[3] < BOUND_SECONDS, took


def test_its_graph_is_said_once_per_version_in_chunks_that_fit(large: Any, heard: Heard) -> None:
    """By the keeper, when it comes to it."""
    for _ in range(3):
        listener.on_dag_run_running(dag_run=dag_run(large, "one"))
    assert heard.events == []

    keeper._say_waiting(0)

    assert sum(isinstance(event, RunStarted) for event in heard.events) == 3
    graph = [event for event in heard.events if isinstance(event, GraphDeclared)]
    assert keeper._waiting.empty()
    assert len(graph) > 1
    assert [(chunk.chunk, chunk.chunks) for chunk in graph] == [(at, len(graph)) for at in range(len(graph))]
    assert sum(len(chunk.tasks) for chunk in graph) == TASKS
    assert max(len(record.value) for record in heard.records) <= CHUNK_BYTES


class Broken:
    """Somebody else's listener."""

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        raise RuntimeError("theirs")

    @hookimpl(tryfirst=True)
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        raise RuntimeError("theirs")


def test_a_broken_listener_that_comes_later_does_not_silence_ours(large: Any, heard: Heard) -> None:
    """pluggy ends a call at the first one that raises, and asks the last registered first."""
    manager = pluggy.PluginManager("airflow")
    manager.add_hookspecs(dagrun)
    manager.add_hookspecs(taskinstance)
    manager.register(SimpleNamespace(on_dag_run_running=listener.on_dag_run_running))
    manager.register(Broken())

    with pytest.raises(RuntimeError, match="theirs"):
        manager.hook.on_dag_run_running(dag_run=dag_run(large, "beside"), msg="started")
    keeper._say_waiting(0)

    assert [type(event) for event in heard.events if isinstance(event, RunStarted)] == [RunStarted]
