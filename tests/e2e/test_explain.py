"""`outrider explain` on runs of the whole stack: one that fails, one that goes on, one that went well."""

import json
import subprocess
import sys
from typing import Any

from outrider_cli.demo.ride import Ride
from outrider_local.waiting import wait_until

from tests.riding import Flown


def explain(ride: Ride, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a person does."""
    home = str(ride.stack.layout.home)
    command = [sys.executable, "-m", "outrider_cli.main", "--home", home, "explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def story(ride: Ride, name: str) -> dict[str, Any]:
    """The explanation as a program reads it; empty while nothing is known."""
    told: dict[str, Any] = json.loads(explain(ride, name, "--json").stdout or "{}")
    return told


def failed_by(ride: Ride, name: str) -> str:
    """What failed first, in the explanation's words; "" while nothing is known to have."""
    cause = story(ride, name).get("cause") or {}
    return str(cause["text"]) if cause.get("kind") == "failed" else ""


COUNT_FAILED = "try 1 of count failed with JobFailed"


def test_a_failed_run_leads_from_its_last_task_to_the_first_cause(ride: Ride) -> None:
    """`tell` never ran because of `count`, whose job ended with 7: asked about the run or `tell`, `count` is named."""
    run_id = ride.start("broken")
    assert ride.await_run("broken", run_id) == "failed"
    names = (f"ops/broken/{run_id}", f"ops/broken/{run_id}/tell")
    for name in names:
        assert wait_until(lambda name=name: failed_by(ride, name).startswith(COUNT_FAILED), seconds=90, every=1)  # type: ignore[misc]

        done = explain(ride, name)

        assert done.returncode == 3, done.stderr
        assert f"because: {COUNT_FAILED}" in done.stdout
        assert f"fix: clear task count of run {run_id} in Airflow" in done.stdout
    count = story(ride, f"ops/broken/{run_id}/count")
    kinds = [moment["kind"] for moment in count["moments"]]
    # a place is ready ahead of its task, unless storage hears of the run later than the task begins
    for wanted in (["announced", "ready"], ["began", "credentials", "sealed", "ended"]):
        assert [kind for kind in kinds if kind in wanted] == wanted
    assert {"asked", "inputs"} < set(kinds)  # inputs may be resolved ahead of the asking, or by it
    assert [one["source"] for one in count["inputs"]] == ["ops/broken/take/rows"]

    def wrote() -> dict[str, Any]:
        (one,) = story(ride, f"ops/broken/{run_id}/take")["outputs"]
        return dict(one)

    # storage and lineage hear of the run's end and of its readers each at its own pace
    assert wait_until(lambda: "after the end of the run" in wrote()["fate"], seconds=60, every=1), wrote()
    assert wait_until(lambda: "given to ops/broken/count (1 try)" in wrote()["readers"], seconds=60, every=1), wrote()


def test_what_is_said_to_mend_a_run_has_airflow_run_the_task_again(ride: Ride) -> None:
    run_id = ride.start("broken")
    assert ride.await_run("broken", run_id) == "failed"
    name = f"ops/broken/{run_id}"
    assert wait_until(lambda: failed_by(ride, name).startswith(COUNT_FAILED), seconds=90, every=1)

    path, _, body = story(ride, name)["cause"]["fix"][0].partition("POST ")[2].partition(" ")
    ride.airflow.post(path, json.loads(body))

    assert wait_until(
        lambda: {task.task_id: task.try_number for task in ride.airflow.tasks("broken", run_id)}["count"] == 2,
        seconds=180,
        every=0.5,
    )


def test_a_run_can_be_followed_while_it_goes_on(ride: Ride) -> None:
    """What happens is told as it happens, and the command ends with the run."""
    run_id = ride.start("slow")

    def began() -> bool:
        told = explain(ride, f"ops/slow/{run_id}/wait", "--json")
        return told.returncode == 0 and "try 1 began" in told.stdout

    assert wait_until(began, seconds=120, every=1)
    going = story(ride, f"ops/slow/{run_id}")
    done = explain(ride, f"ops/slow/{run_id}", "--follow")

    assert (going["state"], going["over"]) == ("running", False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("the run ended: success" in line for line in lines)
    assert len({line for line in lines if "try 1 began" in line}) == 2


def test_the_latest_run_of_a_dag_needs_no_id_and_what_is_unknown_says_what_to_do(ride: Ride, flown: Flown) -> None:
    """A person asks for what happened last; a wrong name is answered with the next step."""

    def carried() -> bool:
        moments = story(ride, "newsroom/punctuality").get("moments", ())
        return {"staged", "stored"} <= {moment["kind"] for moment in moments}

    assert wait_until(carried, seconds=60, every=1)
    latest = story(ride, "newsroom/punctuality")
    unknown = explain(ride, "ops/flights/never")
    nonsense = explain(ride, "flights")

    assert latest["subject"]["run_id"] == flown.punctuality
    assert latest["cause"] is None
    assert unknown.returncode == 1
    assert "GET /v1/runs" in unknown.stderr
    assert "write TEAM/DAG" in nonsense.stderr
