"""A task process that dies, is killed, or whose trigger fails: what becomes of its pod and of what it wrote."""

import json
import signal
import subprocess
from datetime import UTC, datetime
from typing import Any

import kubernetes_asyncio as k8s
import pytest
from outrider_contracts.http import SealRequest
from outrider_contracts.keys import TryKey
from outrider_local.waiting import wait_until
from storage.cases.seal import seal

from tests.integration.pods.crew import NAMESPACE, Crew, Flight, asked

SLOW = """
work = ExecutionEnvironmentOperator(
    task_id="work", **JOB, cmds=["sh", "-c"], outputs={"name": Output()}, deferrable=DEFERRABLE,
    arguments=["sleep SECONDS; hostname > $OUTRIDER_OUTPUT_NAME/pod"])
"""


def slow(crew: Crew, seconds: int, *, deferrable: bool = False) -> Flight:
    """A DAG whose job writes the name of its pod after *seconds*."""
    return crew.dag(f"DEFERRABLE = {deferrable}" + SLOW.replace("SECONDS", str(seconds)))


def pods(flight: Flight) -> list[Any]:
    """The DAG's pods."""

    async def look(api: k8s.client.ApiClient) -> list[Any]:
        core, chosen = k8s.client.CoreV1Api(api), f"dag_id={flight.dag_id}"
        return list((await core.list_namespaced_pod(NAMESPACE, label_selector=chosen)).items)

    return asked(flight.crew.cluster, look)


def working(flight: Flight) -> list[str]:
    """Names of those whose job is at work."""
    return [pod.metadata.name for pod in pods(flight) if any(map(_works, pod.status.container_statuses or ()))]


def _works(state: Any) -> bool:
    return state.name == "base" and state.state.running is not None


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_next_try_goes_on_with_a_pod_that_still_works(crew: Crew, deferrable: bool) -> None:
    """Its worker was killed; nothing is done twice, and what the pod wrote counts as its own try's."""
    flight = slow(crew, 12, deferrable=deferrable)
    lost = flight.start("work")
    assert wait_until(lambda: len(working(flight)) == 1, seconds=120, every=0.5)
    (name,) = working(flight)
    lost.kill()
    lost.communicate()

    second = flight.run("work", try_number=2)

    assert second.state == "success", second.log
    assert f"Going on with pod {name} of try 1" in second.log
    assert flight.outputs("work")["name/g1/pod"] == f"{name}\n".encode()
    assert not any("/g2/" in key for key in flight.outputs("work"))


def test_a_killed_task_takes_its_pod_along_and_leaves_no_version(crew: Crew) -> None:
    flight = slow(crew, 120)
    process = flight.start("work")
    assert wait_until(lambda: len(working(flight)) == 1, seconds=120, every=0.5)

    process.send_signal(signal.SIGTERM)

    assert flight.end(process).state == "failed"
    assert wait_until(lambda: not pods(flight), seconds=90, every=0.5), pods(flight)
    assert "name/g1/_manifest.json" not in flight.outputs("work")


def test_the_teams_next_pod_puts_away_what_a_lost_worker_left(crew: Crew) -> None:
    """No other try came to go on with it: Airflow had none left, or somebody marked the task meanwhile."""
    left, works = slow(crew, 15), slow(crew, 600)
    processes: dict[str, subprocess.Popen[str]] = {}
    for flight in (works, left):  # together the short one might be over before the other begins
        processes[flight.dag_id] = flight.start("work")
        assert wait_until(lambda flight=flight: bool(working(flight)), seconds=120, every=0.5)  # type: ignore[misc]
    processes[left.dag_id].kill()
    processes[left.dag_id].communicate()
    assert crew.storage is not None
    task = TryKey(team=crew.team, dag_id=left.dag_id, run_id="r", task_id="work", try_number=1)
    over = SealRequest(task=task, run_started_at=datetime(2026, 11, 1, tzinfo=UTC), outcome="failed")
    crew.storage.do(lambda work: seal(work, over, work.database.begin))
    assert wait_until(lambda: [pod.status.phase for pod in pods(left)] in (["Succeeded"], ["Failed"]), seconds=120)

    assert slow(crew, 0).run("work").state == "success"

    assert wait_until(lambda: not pods(left), seconds=90, every=0.5), pods(left)
    assert working(works)
    processes[works.dag_id].send_signal(signal.SIGTERM)
    works.end(processes[works.dag_id])


BROKEN_TRIGGER = """
from outrider_airflow.pod.trigger import EnvironmentPodTrigger

async def broken(self):
    raise RuntimeError("the triggerer has no memory left")
    yield

EnvironmentPodTrigger.run = broken
"""


def test_a_failed_trigger_fails_the_task_and_its_pod_goes_with_it(crew: Crew) -> None:
    """Airflow resumes such a task only to fail it: its pod would work on for nobody."""
    flight = crew.dag("DEFERRABLE = True" + SLOW.replace("SECONDS", "120") + BROKEN_TRIGGER)

    failed = flight.run("work")

    assert failed.state == "failed"
    assert "no memory left" in failed.log
    assert wait_until(lambda: not pods(flight), seconds=90, every=0.5), pods(flight)
    assert "name/g1/_manifest.json" not in flight.outputs("work")


URIS = """
from textwrap import dedent

SCRIPT = '''
import json, os
import boto3

told = json.load(open(os.environ["OUTRIDER_ENVIRONMENT"]))
s3 = boto3.client("s3")

def split(uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key.rstrip("/")

bucket, key = split(told["inputs"]["numbers"][0])
text = s3.get_object(Bucket=bucket, Key=key + "/numbers.txt")["Body"].read()
bucket, key = split(told["outputs"]["sum"])
s3.put_object(Bucket=bucket, Key=key + "/sum", Body=str(sum(map(int, text.split()))).encode())
try:
    s3.list_objects_v2(Bucket=bucket, Prefix="")
except Exception as refused:
    print("elsewhere:", type(refused).__name__)
'''
make = ExecutionEnvironmentOperator(
    task_id="make", **JOB, cmds=["sh", "-c"], arguments=["seq 10 > $OUTRIDER_OUTPUT_NUMBERS/numbers.txt"],
    outputs={"numbers": Output()})
add = ExecutionEnvironmentOperator(
    task_id="add", **JOB | {"image": SDK}, cmds=["python3", "-c", dedent(SCRIPT)], mode="uris", deferrable=DEFERRABLE,
    inputs={"numbers": Input(task=make, output="numbers")}, outputs={"sum": Output()})
"""


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_with_an_sdk_talks_to_the_store_itself(crew: Crew, deferrable: bool) -> None:
    """It finds addresses and, as any AWS SDK does, credentials that open its try's data and nothing else."""
    source = f"SDK, DEFERRABLE = {crew.cluster.stager_image!r}, {deferrable}" + URIS
    flight = crew.dag(source)

    made, added = flight.run("make"), flight.run("add")

    assert (made.state, added.state) == ("success", "success"), made.log + added.log
    assert "elsewhere: ClientError" in added.log
    assert flight.outputs("add")["sum/g1/sum"] == b"55"
    manifest = json.loads(flight.outputs("add")["sum/g1/_manifest.json"])
    assert [file["path"] for file in manifest["files"]] == ["sum"]
