"""`@task.outrider`: a function as a job, with nothing of Airflow's in its hands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.sdk import BaseOperator, task
from operators.running import context, dag, execute, outrider_connection
from operators.stand_in import StandIn
from outrider_airflow import Output, output_asset
from outrider_airflow.errors import JobFailed
from outrider_airflow.policies import dag_policy
from outrider_contracts.declarations import OutputDeclaration
from outrider_contracts.environments import SealedOutput, VersionKey
from outrider_contracts.http import SealResult


@pytest.fixture(autouse=True)
def connection(storage: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team's, and a place for jobs."""
    monkeypatch.setenv("AIRFLOW_CONN_OUTRIDER", outrider_connection(storage))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def only(written: Any) -> BaseOperator:
    """The DAG's one task, as the dag-processor leaves it."""
    dag_policy(written)
    (found,) = written.tasks
    assert isinstance(found, BaseOperator)
    return found


def test_a_function_runs_as_a_job_and_gives_json_back(storage: StandIn) -> None:
    """It sees its output's directory and nothing of Airflow's environment; data goes by files."""
    with dag() as written:

        @task.outrider(outputs={"words": Output(format="text")})
        def count(words: list[str], *, times: int = 1) -> dict[str, object]:
            import os

            with open(os.environ["OUTRIDER_OUTPUT_WORDS"] + "/words.txt", "w") as file:
                file.write(" ".join(words * times))
            return {"words": len(words) * times, "airflow": [name for name in os.environ if "AIRFLOW" in name]}

        count(["a", "b"], times=2)

    assert execute(only(written)) == {"words": 4, "airflow": []}
    assert [path.read_text() for path in storage.store.rglob("words.txt")] == ["a b a b"]
    declared = storage.asked[0][1]["declaration"]
    assert declared["outputs"]["words"] == OutputDeclaration(format="text").model_dump()
    assert storage.seals() == ["success"]


def test_a_function_that_raises_fails_its_task_with_its_last_words(storage: StandIn) -> None:
    with dag() as written:

        @task.outrider
        def fail() -> None:
            raise RuntimeError("no orders today")

        fail()

    with pytest.raises(JobFailed, match="RuntimeError: no orders today"):
        execute(only(written))
    assert storage.seals() == ["failed"]


class Results(Sequence[int]):
    """What the instances of a mapped task returned, as Airflow gives it: loaded when it is looked at."""

    def __getitem__(self, at: Any) -> Any:
        return [3, 4][at]

    def __len__(self) -> int:
        return 2


def test_a_function_is_given_what_a_mapped_task_returned_as_a_list(storage: StandIn) -> None:
    with dag() as written:

        @task.outrider
        def add(numbers: list[int]) -> dict[str, object]:
            return {"kind": type(numbers).__name__, "sum": sum(numbers)}

        add(cast("list[int]", Results()))

    assert execute(only(written)) == {"kind": "list", "sum": 7}
    assert storage.seals() == ["success"]


@pytest.mark.parametrize("given", [Path("/x"), b"bytes"])
def test_what_a_job_can_not_be_given_is_said(storage: StandIn, given: object) -> None:
    with dag() as written:

        @task.outrider
        def use(path: object) -> None:
            """Nothing."""

        use(given)

    with pytest.raises(ValueError, match=r"task 'use'.*given JSON alone.*hand data over by inputs= and outputs="):
        execute(only(written))


def test_a_sealed_output_is_told_to_airflow_with_the_tasks_success(storage: StandIn) -> None:
    """For those sealed alone: an output that may be missing and is has no event."""
    version = VersionKey(
        team="ads", dag_id="daily", run_id="r", task_id="make", output="x", generation=2
    )  # fmt: skip
    sealed = SealedOutput(version=version, path="ads/daily/make/g2/", files=1, bytes=1, expires="3d")
    result = SealResult(generation=2, outputs={"x": sealed}).model_dump(mode="json")
    storage.ready["seal"].append((200, result))
    with dag() as written:

        @task.outrider(outputs={"x": Output(), "y": Output(required=False)})
        def make() -> None:
            """Nothing."""

        make()
    made = only(written)
    given = context(made)

    execute(made, given)

    (alias,) = made.outlets
    (event,) = given["outlet_events"][alias].asset_alias_events
    asset = output_asset(team="ads", dag="daily", task="make", output="x")
    assert (event.dest_asset_key.uri, event.dest_asset_key.name) == (asset.uri, asset.name)
    assert event.dest_asset_key.uri == "outrider://ads/daily/make/x"
    assert event.extra == {"path": "ads/daily/make/g2/"}
