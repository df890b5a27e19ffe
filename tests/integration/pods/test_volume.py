"""Teams on the shared volume: their pods mount their own directory of it, as tenancy provides it, and no other."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import kubernetes_asyncio as k8s
import pytest
from outrider_contracts.airflow import RunFinished, RunStarted
from outrider_contracts.holdings import FreezeRequest
from outrider_contracts.keys import RunKey
from outrider_contracts.names import VOLUME_CLAIM, DerivedNames
from outrider_contracts.tenants import StorageSpec, TeamSpec
from outrider_local.kubernetes import images
from storage.adapters.memory import MemoryAirflow
from storage.cases import people
from storage.cases.clear import doom_due, remove_doomed
from storage.cases.plan import plan_run
from storage.cases.work import Work
from storage.domain.removal import AirflowRun
from storage.records import runs, versions
from tenancy.adapters.kubernetes import KubernetesProvisioner, Site
from tenancy.adapters.kubernetes_cluster import ApiCluster, address_in
from tenancy.domain.teams import Wanted

from tests.integration.conftest import Start
from tests.integration.pods.crew import Crew, asked
from tests.integration.pods.test_spark import APPLICATION, added

T = TypeVar("T")
STARTED = datetime(2026, 11, 1, tzinfo=UTC)
"""As the task process has it."""

FLOW = """
make = ExecutionEnvironmentOperator(
    task_id="make", **JOB, mode="volume", cmds=["sh", "-c"], outputs={"numbers": Output(retention="run")},
    arguments=["mkdir $OUTRIDER_OUTPUT_NUMBERS/deep; seq 10 > $OUTRIDER_OUTPUT_NUMBERS/deep/numbers.txt; "
               "echo uid $(id -u) at $OUTRIDER_OUTPUT_NUMBERS; tr -d ' \\\\n' < $OUTRIDER_ENVIRONMENT; echo; "
               "env | grep -E '^AWS_' || echo no keys; ls /var/run/outrider/stager || echo no token"])
add = ExecutionEnvironmentOperator(
    task_id="add", **JOB, mode="volume", cmds=["sh", "-c"], deferrable=DEFERRABLE, outputs={"sum": Output()},
    arguments=["awk '{s += $1} END {print s}' $OUTRIDER_INPUT_NUMBERS/deep/numbers.txt > $OUTRIDER_OUTPUT_SUM/sum"],
    inputs={"numbers": Input(task=make, output="numbers")})
carried = ExecutionEnvironmentOperator(
    task_id="carried", **JOB, cmds=["sh", "-c"], outputs={"copy": Output()},
    arguments=["cp -r /outrider/inputs/numbers/deep /outrider/outputs/copy/; ls /mnt/outrider || echo no volume"],
    inputs={"numbers": Input(task=make, output="numbers")})
beside = LocalExecutionEnvironmentOperator(
    task_id="beside", mode="volume", command="wc -l < $OUTRIDER_INPUT_NUMBERS/deep/numbers.txt > $OUTRIDER_OUTPUT_N/n",
    inputs={"numbers": Input(task=make, output="numbers")}, outputs={"n": Output()})
failing = ExecutionEnvironmentOperator(
    task_id="failing", **JOB, mode="volume", cmds=["sh", "-c"], outputs={"x": Output()},
    arguments=["echo partly > $OUTRIDER_OUTPUT_X/a; exit 75"])
uris = ExecutionEnvironmentOperator(task_id="uris", **JOB, mode="uris", cmds=["true"], outputs={"x": Output()})
elsewhere = ExecutionEnvironmentOperator(
    task_id="elsewhere", **JOB, namespace="default", mode="volume", cmds=["true"], outputs={"x": Output()})
look = ExecutionEnvironmentOperator(
    task_id="look", **JOB, mode="volume", cmds=["sh", "-c"], outputs={"x": Output(required=False)},
    arguments=["find /mnt/outrider -mindepth 1 -maxdepth 1; ls /mnt/outrider/*/../.. | tr '\\\\n' ' '"])
"""


@dataclass
class Team(Crew):
    """A team on the volume, its tasks with the connection that tenancy gives them."""

    connection: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        cluster = self.cluster
        return {
            **super().environment,
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": self.connection,
            "AIRFLOW__OUTRIDER__KUBERNETES_API_URL": cluster.pod_api_server,
            "AIRFLOW__OUTRIDER__KUBERNETES_API_ADDRESS": cluster.gateway,
        }

    @property
    def root(self) -> Path:
        assert self.storage is not None
        return self.storage.volume

    def do(self, act: Callable[[Work], Awaitable[T]]) -> T:
        """Have *act* done to storage's own work."""
        assert self.storage is not None
        return self.storage.do(act)

    def objects(self, prefix: str) -> dict[str, bytes]:
        """What lies below *prefix* of the volume."""
        found = (path for path in (self.root / prefix).rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}


def onboard(crew: Crew, team: str, connections: Path) -> Team:
    """As tenancy does, with its own rights in the cluster."""
    assert crew.storage is not None
    path = f"{crew.storage.volume}/{{team}}"
    spec = TeamSpec(storage=StorageSpec(backend="directory"))
    kubeconfig = crew.cluster.tenancy_kubeconfig
    source = {"hostPath": {"path": path, "type": "Directory"}}
    site = Site(address_in(kubeconfig), connections, volume_source=source)
    provisioner = KubernetesProvisioner(ApiCluster(kubeconfig), site)
    wanted = Wanted(team, team.encode().hex().ljust(32, "0"), spec)
    asyncio.run(provisioner.apply(wanted))
    assert asyncio.run(provisioner.plan(wanted)) == ()
    connection = (connections / team / "kubernetes_default").read_text()
    directory = connections / team / "dags"
    directory.mkdir()
    return Team(crew.cluster, crew.s3, crew.issuer, directory, team, crew.storage, connection)


@pytest.fixture(scope="module")
def pilots(crew: Crew, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return onboard(crew, "pilots", tmp_path_factory.mktemp("pilots"))


@pytest.fixture(scope="module")
def guests(crew: Crew, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return onboard(crew, "guests", tmp_path_factory.mktemp("guests"))


@pytest.mark.parametrize("deferrable", [False, True])
def test_jobs_work_on_the_volume_itself(pilots: Team, deferrable: bool) -> None:
    """One pod's output is the next one's input where it lies; under the team's user, without credentials or copies."""
    flight = pilots.dag(f"DEFERRABLE = {deferrable}" + FLOW)

    made, added = flight.run("make"), flight.run("add")

    place = f"/mnt/outrider/pilots/{flight.dag_id}/make/20261101T000000.000000Z/numbers/g1"
    assert (made.state, added.state) == ("success", "success"), made.log + added.log
    assert f"uid {DerivedNames('pilots').unix_id} at {place}" in made.log
    assert f'"mode":"volume","fence":"team","inputs":{{}},"outputs":{{"numbers":"{place}"}}' in made.log
    assert "no keys" in made.log
    assert "no token" in made.log
    assert flight.outputs("add")["sum/g1/sum"] == b"55\n"
    manifest = json.loads(flight.outputs("make")["numbers/g1/_manifest.json"])
    assert [(file["path"], file["size"]) for file in manifest["files"]] == [("deep/numbers.txt", 21)]


def test_other_ways_to_the_same_data(pilots: Team) -> None:
    """Files that are carried, by stagers that mount the volume, and a process beside the worker."""
    flight = pilots.dag("DEFERRABLE = False" + FLOW)
    assert flight.run("make").state == "success"

    carried, beside = flight.run("carried"), flight.run("beside")

    assert (carried.state, beside.state) == ("success", "success"), carried.log + beside.log
    assert flight.outputs("carried")["copy/g1/deep/numbers.txt"].endswith(b"10\n")
    assert "no volume" in carried.log
    assert flight.outputs("beside")["n/g1/n"] == b"10\n"


FUNCTION = """
from airflow.sdk import task

@task.outrider(**JOB, mode="volume", outputs={"words": Output()})
def spell(words):
    import os
    from pathlib import Path

    Path(os.environ["OUTRIDER_OUTPUT_WORDS"], "words").write_text(words)
    return len(words)

spell("three words here")
"""


def test_a_function_works_on_the_volume_too(pilots: Team) -> None:
    flight = pilots.dag(FUNCTION)

    spelt = flight.run("spell")

    assert (spelt.state, spelt.result) == ("success", 16), spelt.log
    assert flight.outputs("spell")["words/g1/words"] == b"three words here"


def test_a_failed_job_makes_no_version_and_its_retry_has_a_generation_of_its_own(pilots: Team) -> None:
    flight = pilots.dag("DEFERRABLE = False" + FLOW)

    failed = [flight.run("failing", number) for number in (1, 2)]

    assert all(each.error.startswith("the job ended with exit code 75") for each in failed), failed[0].log
    assert set(flight.outputs("failing")) == {"x/g1/a", "x/g2/a"}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (
            "uris",
            'lies on its shared volume and has no addresses (bad-declaration). Fix: write mode="volume"',
        ),
        ("elsewhere", "pods in namespace 'default' can't mount. Fix: leave namespace out"),
    ],
)
def test_what_can_not_be_is_refused_before_there_is_a_pod(pilots: Team, task: str, words: str) -> None:
    refused = pilots.dag("DEFERRABLE = False" + FLOW).run(task)

    assert refused.state == "failed"
    assert words in refused.error


def test_a_team_in_s3_has_no_volume_to_mount(crew: Crew) -> None:
    refused = crew.dag("DEFERRABLE = False" + FLOW).run("make")

    assert refused.state == "failed"
    assert "data of team crew is not on a shared volume" in refused.error


def test_another_team_s_pods_see_nothing_of_it(pilots: Team, guests: Team) -> None:
    """Neither by what they are given, nor by a claim that somebody makes in their namespace."""
    assert pilots.dag("DEFERRABLE = False" + FLOW).run("make").state == "success"

    looked = guests.dag("DEFERRABLE = False" + FLOW).run("look")
    phase = asked(guests.cluster, stolen_claim)

    assert looked.state == "success", looked.log
    assert "/mnt/outrider/guests" in looked.log
    assert "pilots" not in looked.log.replace(str(pilots.root), "")
    assert phase == "Pending"
    assert pilots.root.stat().st_mode & 0o077 == 0


async def stolen_claim(api: k8s.client.ApiClient) -> str:
    """A claim of guests for the volume of pilots, as an administrator could write it; and how long it waits."""
    core: Any = k8s.client.CoreV1Api(api)
    namespace = DerivedNames("guests").namespace
    spec = {
        "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "",
        "volumeName": DerivedNames("pilots").volume,
    }  # fmt: skip
    await core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "stolen"}, "spec": spec})
    own = await core.read_namespaced_persistent_volume_claim(VOLUME_CLAIM, namespace)
    async with asyncio.timeout(120):
        while not (await core.list_namespaced_event(namespace, field_selector="involvedObject.name=stolen")).items:
            pass
    found = await core.read_namespaced_persistent_volume_claim("stolen", namespace)

    assert own.status.phase == "Bound"
    return str(found.status.phase)


def test_what_is_cleared_is_gone_whoever_wrote_it(pilots: Team) -> None:
    """The job's own user made files and directories there; the run is over, and so is the undo window."""
    flight = pilots.dag("DEFERRABLE = False" + FLOW)
    assert flight.run("make").state == "success"
    assert flight.run("add").state == "success"
    before = flight.outputs("make")

    removed = pilots.do(lambda work: clear(work, RunKey(team="pilots", dag_id=flight.dag_id, run_id="r")))

    assert "numbers/g1/deep/numbers.txt" in before
    assert removed == (1, 1)
    assert flight.outputs("make") == {}
    assert flight.outputs("add")["sum/g1/sum"] == b"55\n"


async def clear(work: Work, run: RunKey) -> tuple[int, int]:
    """The run ends, Airflow says so, and two days pass. The bucket was another module's database's before: an operator
    has to say that this one is right."""
    assert isinstance(work.airflow, MemoryAirflow)
    await people.freeze(work, FreezeRequest(frozen=False, reason="another module's tests came before"), "an operator")
    work.airflow.runs[run] = AirflowRun("success", True, STARTED, 0)
    async with work.database.begin() as tx:
        started = RunStarted(run=run, run_started_at=STARTED, run_after=STARTED, logical_date=STARTED, dag_version="v1")
        await runs.keep_start(tx.connection, started, fresh=True, now=work.clock())
        await versions.lock_run(tx.connection, run)
        ended = RunFinished(run=run, run_started_at=STARTED, state="success", finished_at=datetime.now(UTC))
        await runs.keep_finish(tx.connection, ended, work.clock())
        await plan_run(work, tx.connection, run)
    tomorrow = replace(work, clock=lambda: datetime.now(UTC) + timedelta(hours=1))
    doomed = await doom_due(tomorrow)
    later = replace(work, clock=lambda: datetime.now(UTC) + timedelta(days=2))
    return doomed, await remove_doomed(later)


SPARK = """
from kubernetes.client import models
from outrider_airflow import SparkExecutionEnvironmentOperator

CODE = dict(
    volumes=[models.V1Volume(name="code", config_map=models.V1ConfigMapVolumeSource(name="code"))],
    volume_mounts=[models.V1VolumeMount(name="code", mount_path="/code")])

make = ExecutionEnvironmentOperator(
    task_id="make", **JOB, mode="volume", cmds=["sh", "-c"],
    arguments=["seq 100 > $OUTRIDER_OUTPUT_NUMBERS/numbers.csv"], outputs={"numbers": Output()})
add = SparkExecutionEnvironmentOperator(
    task_id="add", mode="volume", image="IMAGE", image_pull_policy="Never", startup_check_interval_seconds=1, **CODE,
    application="/code/app.py", application_args=["add"], executors=2, executor_memory="512m", driver_memory="512m",
    executor_cpu="400m", driver_cpu="600m",
    conf={"spark.scheduler.minRegisteredResourcesRatio": "1.0", "spark.ui.enabled": "false",
          "spark.locality.wait": "0s", "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s"},
    inputs={"numbers": Input(task=make, output="numbers")}, outputs={"sums": Output()})
"""


def test_spark_s_driver_and_executors_share_the_volume(pilots: Team, start: Start) -> None:
    """What executors wrote beside one another is one version; they hold no credentials and have no sidecar."""
    start("spark")

    async def prepare(api: k8s.client.ApiClient) -> None:
        core: Any = k8s.client.CoreV1Api(api)
        code = {"metadata": {"name": "code"}, "data": {"app.py": APPLICATION.read_text()}}
        await core.create_namespaced_config_map(DerivedNames("pilots").namespace, code)

    asked(pilots.cluster, prepare)
    added(pilots.dag(SPARK.replace("IMAGE", images.spark_jobs(pilots.cluster.stack.layout).name)))
