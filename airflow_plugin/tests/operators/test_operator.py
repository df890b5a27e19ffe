"""The local operator against a storage service that is a small HTTP server, as a task process would run it."""

import json
import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import DAG, BaseOperator, Connection, XComArg
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout, TaskDeferred
from operators.running import NOW, context, execute, outrider_connection
from operators.stand_in import Answer, StandIn
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output, Source
from outrider_airflow.errors import EnvironmentRefused, InputNotStaged, JobFailed, JobKilled, OutputNotStored
from outrider_contracts.declarations import Mode
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.keys import TaskKey
from outrider_contracts.places import generation_path, place
from outrider_contracts.tracing import run_traceparent

ORDERS_DB = "postgres://reader:pa%24%24@db.example.org:5432/orders?sslmode=require"


@pytest.fixture(autouse=True)
def connections(storage: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team's connections, where a task process looks first: its environment."""
    monkeypatch.setenv("AIRFLOW_CONN_OUTRIDER", outrider_connection(storage))
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", ORDERS_DB)


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs get their directories; the test looks whether they are gone."""
    (tmp_path / "work").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
    return tmp_path / "work"


def operator(command: list[str] | str, task_id: str = "load", **declared: Any) -> LocalExecutionEnvironmentOperator:
    with DAG("daily", schedule=None):
        return LocalExecutionEnvironmentOperator(task_id=task_id, command=command, **declared)


@pytest.fixture
def heard(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """What stands in the task's log, without times and logger names."""
    line = re.compile(r"\] (.*?) *\[airflow\.task")
    return lambda: line.findall(capsys.readouterr().out)


def sealed_orders(storage: StandIn, content: bytes) -> None:
    """A version that an earlier task has sealed."""
    producer = TaskKey(team="ads", dag_id="daily", run_id="r", task_id="extract")
    path = generation_path(place(producer, NOW), "orders", 1)
    (storage.store / path).mkdir(parents=True)
    (storage.store / path / "orders.csv").write_bytes(content)
    manifest = {"files": [{"path": "orders.csv", "size": len(content)}]}
    (storage.store / path / "_manifest.json").write_text(json.dumps(manifest))
    version = InputVersion(version=VersionKey(**producer.model_dump(), output="orders", generation=1), path=path)
    storage.inputs["orders"] = [version.model_dump(mode="json")]


def test_storage_is_asked_in_the_trace_of_the_run(storage: StandIn) -> None:
    """The token endpoint is not: it serves many tasks."""
    task = operator(["true"])

    execute(task)

    expected = run_traceparent("ads/daily/r")
    assert storage.traces == [None, expected, expected]


def test_a_job_reads_its_input_and_writes_its_output(
    storage: StandIn, work: Path, heard: Callable[[], list[str]]
) -> None:
    """awk knows nothing of Airflow, S3 or Outrider."""
    sealed_orders(storage, b"a,1\nb,2\n")
    task = operator(
        'awk -F, \'{s += $2} END {print s}\' "$OUTRIDER_INPUT_ORDERS"/*.csv | tee "$OUTRIDER_OUTPUT_DAILY/sum"',
        inputs={"orders": Input(task="extract", output="orders")},
        outputs={"daily": Output(retention="7d")},
    )

    execute(task)

    assert [path.read_text() for path in storage.store.rglob("load/**/sum")] == ["3\n"]
    assert "ads/daily/load/20261101T000000.000000Z/daily/g1" in storage.versions()
    assert storage.seals() == ["success"]
    assert [body["carried"]["way"] for act, body in storage.asked if act == "carried"] == ["in", "out"]
    assert "3" in heard()
    assert list(work.iterdir()) == []


def test_storage_is_told_who_asks_and_what_for(storage: StandIn) -> None:
    """The run's start tells re-created runs apart; a mapped instance says that it is one."""
    task = operator(["true"], inputs={}, outputs={"daily": Output()})

    execute(task, map_index=3)

    asked = storage.asked[0][1]
    assert asked["task"] == {
        "team": "ads", "dag_id": "daily", "run_id": "r", "task_id": "load", "map_index": 3, "try_number": 1,
    }  # fmt: skip
    assert asked["run_started_at"] == asked["run_after"] == asked["logical_date"] == "2026-11-01T00:00:00Z"
    assert asked["declaration"]["mapped"]
    assert asked["declaration"]["operator"] == "LocalExecutionEnvironmentOperator"


def test_a_failed_job_says_how_and_what_it_said_last(storage: StandIn) -> None:
    """What it wrote is stored all the same, and sealed as failed."""
    task = operator("echo partly > $OUTRIDER_OUTPUT_DAILY/a; echo no disk >&2; exit 75", outputs={"daily": Output()})

    with pytest.raises(JobFailed) as failed:
        execute(task)

    assert str(failed.value) == "the job ended with exit code 75; its last lines:\nno disk"
    assert storage.seals() == ["failed"]
    assert len(storage.versions()) == 1


def test_an_exit_code_may_mean_nothing_to_do(storage: StandIn) -> None:
    """The task is skipped; nothing is stored or sealed."""
    task = operator(["sh", "-c", "exit 99"], outputs={"daily": Output()}, skip_on_exit_code=99)

    with pytest.raises(AirflowSkipException, match="exit code 99"):
        execute(task)

    assert storage.seals() == []
    assert storage.versions() == []


def test_a_killed_job_is_never_a_success(storage: StandIn) -> None:
    """Even where it answers SIGTERM with exit code 0: what it wrote is not kept."""
    task = operator("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done", outputs={"daily": Output()})

    class Kills(list[str]):
        def info(self, message: str, *values: object) -> None:
            if values == ("ready",):
                task.on_kill()

        warning = info

    task._cached_logger = Kills()  # type: ignore[assignment]
    with pytest.raises(JobKilled):
        execute(task)

    assert storage.seals() == ["failed"]
    assert storage.versions() == []


def test_a_job_killed_while_its_outputs_are_stored_is_no_success(
    storage: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had ended well; whoever wanted its end did not know."""
    task = operator(["true"], outputs={"daily": Output()})
    take = task._take

    def killed_meanwhile(*given: Any) -> bool:
        task.on_kill()
        return take(*given)

    monkeypatch.setattr(task, "_take", killed_meanwhile)

    with pytest.raises(JobKilled):
        execute(task)

    assert storage.seals() == ["failed"]


def test_a_task_killed_while_its_seal_is_waited_for_is_no_success(storage: StandIn) -> None:
    """Storage was away when the job ended; meanwhile somebody marked the task as failed."""
    task = operator("echo 1 > $OUTRIDER_OUTPUT_DAILY/x", outputs={"daily": Output()})

    class Killing(deque[Answer]):
        def popleft(self) -> Answer:
            task.on_kill()
            return super().popleft()

    storage.ready["seal"] = Killing([(503, {})])

    with pytest.raises(JobKilled):
        execute(task)

    assert storage.asked[-1][1]["outcome"] == "failed"


def test_a_missing_output_fails_the_task(storage: StandIn) -> None:
    """Storage has the last word on what a success is."""
    problem = {"code": "output-missing", "message": "'daily' is not stored", "fix": "write it"}
    storage.ready["seal"].append((409, {"error": problem}))

    with pytest.raises(OutputNotStored, match="'daily' is not stored"):
        execute(operator("rmdir $OUTRIDER_OUTPUT_DAILY", outputs={"daily": Output()}))

    assert storage.versions() == []


def test_a_refused_environment_runs_nothing(storage: StandIn, tmp_path: Path) -> None:
    """And is not sealed: there was none."""
    storage.ready["ensure"].append((409, {"error": {"code": "not-granted", "message": "no grant", "fix": ""}}))

    with pytest.raises(EnvironmentRefused, match="no grant"):
        execute(operator(["touch", str(tmp_path / "ran")]))

    assert not (tmp_path / "ran").exists()
    assert storage.seals() == []


def test_storage_being_away_at_a_failure_hides_nothing(storage: StandIn, heard: Callable[[], list[str]]) -> None:
    """The job's own error is what the person must see."""
    storage.ready["seal"] += [(503, {})] * 20

    with pytest.raises(JobFailed, match="exit code 1"):
        execute(operator("exit 1"))

    assert any("Not sealed as failed now" in line for line in heard())


def test_a_connection_is_a_file_that_only_the_job_can_read(storage: StandIn, heard: Callable[[], list[str]]) -> None:
    """As JSON with its URI; gone with the job."""
    task = operator(
        'stat -c %a $OUTRIDER_SOURCE_RAW "$(dirname $OUTRIDER_SOURCE_RAW)"; cp $OUTRIDER_SOURCE_RAW $OUTRIDER_OUTPUT_X',
        sources={"raw": Source(connection="orders_db")},
        outputs={"x": Output()},
    )

    execute(task)

    (copied,) = storage.store.rglob("raw.json")
    found = json.loads(copied.read_text())
    assert (found["login"], found["password"], found["host"], found["port"]) == (
        "reader",
        "pa$$",
        "db.example.org",
        5432,
    )
    assert found["schema"] == "orders"
    assert found["extra"] == {"sslmode": "require"}
    assert Connection.from_uri(found["uri"], "x").password == "pa$$"
    assert [line for line in heard() if line in ("600", "700")] == ["600", "700"]


def test_params_reach_the_job_and_only_the_authors_are_templates(storage: StandIn) -> None:
    """What somebody typed when triggering the run is data: rendered, it could read connections."""
    task = operator(
        'env | sort > "$OUTRIDER_OUTPUT_X/env"; cp $OUTRIDER_ENVIRONMENT "$OUTRIDER_OUTPUT_X"',
        params={"airport": "{{ dag_run.run_id }}", "day": "1"},
        env={"MINE": "yes"},
        outputs={"x": Output()},
    )

    execute(task, day="{{ conn.orders_db.password }}")

    seen = dict(line.split("=", 1) for line in _read(storage, "env").splitlines())
    assert seen["OUTRIDER_PARAM_AIRPORT"] == "r"
    assert seen["OUTRIDER_PARAM_DAY"] == "{{ conn.orders_db.password }}"
    assert seen["MINE"] == "yes"
    assert not any(name.startswith(("AIRFLOW", "AWS", "PYTEST")) for name in seen)
    assert seen["HOME"] == os.path.dirname(seen["OUTRIDER_ENVIRONMENT"])
    assert json.loads(_read(storage, "environment.json"))["params"]["airport"] == "r"


def test_params_that_a_mapped_task_has_from_another_are_data_too(storage: StandIn) -> None:
    """As in any field that Airflow renders; what its author wrote, shared or for one instance, is a template."""
    command = 'cp $OUTRIDER_ENVIRONMENT "$OUTRIDER_OUTPUT_X"'
    with DAG("daily", schedule=None) as dag:
        names = BaseOperator(task_id="names")
        partial = LocalExecutionEnvironmentOperator.partial
        shared = {"command": command, "params": {"run": "{{ dag_run.run_id }}"}, "outputs": {"x": Output()}}
        given = {"name": "{{ conn.orders_db.password }}"}
        partial(task_id="load", **shared).expand(params=XComArg(names))
        partial(task_id="loads", **shared).expand(params=[{"name": "{{ dag_run.dag_id }}"}])

    def told(task_id: str, params: dict[str, str]) -> dict[str, str]:
        execute(dag.get_task(task_id).unmap({"params": params}), map_index=0)
        found: dict[str, str] = json.loads(_read(storage, "environment.json"))["params"]
        next(storage.store.rglob("environment.json")).unlink()
        return found

    assert told("load", given) == {"run": "r", **given}
    assert told("loads", {"name": "{{ dag_run.dag_id }}"}) == {"run": "r", "name": "daily"}


def test_uris_mode_leaves_the_data_where_it_is(storage: StandIn) -> None:
    """The job is told addresses and talks to the store itself; the manifest is then storage's to write."""
    storage.mode = "uris"
    sealed_orders(storage, b"a,1\n")
    task = operator(
        'mkdir -p "${OUTRIDER_OUTPUT_DAILY#file://}" && cat "${OUTRIDER_INPUT_ORDERS#file://}orders.csv"'
        ' > "${OUTRIDER_OUTPUT_DAILY#file://}copy"',
        inputs={"orders": Input(task="extract", output="orders")},
        outputs={"daily": Output()},
        mode="uris",
    )

    execute(task)

    assert _read(storage, "copy") == "a,1\n"
    assert storage.seals() == ["success"]


def test_volume_mode_works_on_the_team_s_directory_itself(storage: StandIn, heard: Callable[[], list[str]]) -> None:
    """Nothing is copied and no manifest written: storage takes stock at the seal."""
    storage.mode = "volume"
    place = storage.store / "ads/daily/load/20261101T000000.000000Z/total/g1"
    script = "echo 5 > $OUTRIDER_OUTPUT_TOTAL/n; echo at $OUTRIDER_OUTPUT_TOTAL; env | grep ^AWS_ || echo no keys"
    task = operator(script, mode="volume", outputs={"total": Output()})

    execute(task)

    assert (place / "n").read_text() == "5\n"
    assert storage.versions() == []
    assert [f"at {place}", "no keys"] == [line for line in heard() if line.startswith(("at ", "no "))]
    assert storage.seals() == ["success"]


@pytest.mark.parametrize("mode", ["volume", "files"])
def test_a_worker_without_the_volume_says_so(storage: StandIn, mode: Mode) -> None:
    """Whatever was written to the worker's own disk would be lost."""
    storage.mode, storage.makes_directories = mode, False

    with pytest.raises(InputNotStaged, match=r"does not have the shared volume.*\[outrider\] volume_root"):
        execute(operator(["true"], mode=mode, outputs={"total": Output()}))


def test_a_timeout_is_sealed_as_failed(storage: StandIn) -> None:
    """Airflow raises it in the midst of `execute`; it is no Exception."""
    task = operator(["echo", "now"])

    class TimesOut:
        def info(self, message: str, *values: object) -> None:
            if values == ("now",):
                raise AirflowTaskTimeout

        warning = info

    task._cached_logger = TimesOut()  # type: ignore[assignment]
    with pytest.raises(AirflowTaskTimeout):
        execute(task)

    assert storage.seals() == ["failed"]


def test_a_deferral_is_not_an_end(storage: StandIn) -> None:
    """Sealed when it has been resumed; the environment is not asked for again."""

    class Deferring(LocalExecutionEnvironmentOperator):
        def run_in(self, *_: object) -> None:
            raise TaskDeferred(trigger=cast("Any", None), method_name="go_on")

        def go_on(self, context: Mapping[str, object]) -> str:
            return "done"

    with DAG("daily", schedule=None):
        task = Deferring(task_id="load", command=["true"])
    with pytest.raises(TaskDeferred):
        execute(task)

    assert storage.seals() == []
    assert task.resume_execution("go_on", {}, context(task)) == "done"
    assert [act for act, _ in storage.asked] == ["ensure", "seal"]


def test_a_failed_trigger_is_sealed_as_failed(storage: StandIn) -> None:
    """It comes by another way: `__fail__` never reaches the operator's own method."""
    task = operator(["true"])

    with pytest.raises(Exception, match="the pod is gone"):
        task.resume_execution("__fail__", {"error": "the pod is gone"}, context(task))

    assert storage.seals() == ["failed"]


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"outputs": {"daily": Output(retention="soon")}}, "is no duration"),
        ({"inputs": {"x y": Input(task="a", output="b")}}, "is no name"),
        ({"mode": "volumes"}, "mode: it is 'files', 'uris' or 'volume'"),
        ({"env": {"OUTRIDER_TEAM": "news"}}, "may not set 'OUTRIDER_TEAM'"),
        ({"outputs": {"a-b": Output(), "a_b": Output()}}, "would share the variable"),
    ],
)
def test_a_wrong_declaration_is_an_error_where_it_is_written(declared: dict[str, Any], reason: str) -> None:
    """When the DAG file is read, in its author's words."""
    with pytest.raises(ValueError, match=f"task 'load'.*{reason}"):
        operator(["true"], **declared)


def test_an_input_names_its_producer_by_the_operator_too() -> None:
    """In a task group its id has the group's prefix: the operator knows it."""
    extract = operator(["true"], task_id="extract", outputs={"orders": Output()})

    assert Input(task=extract, output="orders") == Input(task="extract", output="orders")


def _read(storage: StandIn, name: str) -> str:
    (found,) = storage.store.rglob(name)
    return found.read_text()
