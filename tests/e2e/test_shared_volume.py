"""A team whose data lies on the shared volume, under a whole Airflow: onboarded, ridden, cleared; never moved."""

import textwrap
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from outrider_cli.demo.ride import Ride
from outrider_contracts.tenants import TeamStatus
from outrider_local import volume
from outrider_local.errors import StackError
from outrider_local.kubernetes import images, node
from outrider_local.waiting import wait_until

from tests.e2e.support import objects

TEAM = """
apiVersion: outrider/v1
kind: Team
metadata: {name: pilots}
spec: {displayName: Pilots, storage: {backend: BACKEND}}
"""
BESIDE = """
from airflow.sdk import DAG
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, Output

with DAG("beside", schedule=None):
    make = LocalExecutionEnvironmentOperator(
        task_id="make", mode="volume", command="seq 10 > $OUTRIDER_OUTPUT_NUMBERS/numbers.txt",
        outputs={"numbers": Output(retention="run")})
    LocalExecutionEnvironmentOperator(
        task_id="add", mode="volume",
        command="awk '{s += $1} END {print s}' $OUTRIDER_INPUT_NUMBERS/numbers.txt > $OUTRIDER_OUTPUT_SUM/sum",
        inputs={"numbers": Input(task=make, output="numbers")}, outputs={"sum": Output()})
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "shared_volume.py"


@pytest.fixture(scope="module")
def pilots(ride: Ride, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The team's bundle; its document is beside it."""
    documents = tmp_path_factory.mktemp("pilots")
    (documents / "pilots.yaml").write_text(TEAM.replace("BACKEND", "directory"))
    ride.onboard(documents / "pilots.yaml")
    return ride.stack.layout.bundles / "pilots"


def files(ride: Ride, dag_id: str) -> Mapping[str, str]:
    """What lies on the volume of the DAG's versions, manifests apart."""
    place = volume.root(ride.stack) / "pilots" / dag_id
    while True:
        with suppress(FileNotFoundError):  # storage removes something meanwhile
            found = (path for path in place.rglob("*") if path.is_file() and not path.name.startswith("_"))
            return {f"{path.parts[-3]}/{path.name}": path.read_text() for path in found}


def test_jobs_beside_the_worker_work_on_the_volume_and_what_is_due_goes(ride: Ride, pilots: Path) -> None:
    """Nothing of it ever lies in S3. It needs no node, and no root."""
    (pilots / "beside.py").write_text(BESIDE)

    run_id = ride.start("beside")

    assert ride.await_run("beside", run_id) == "success"
    assert files(ride, "beside")["sum/sum"] == "55\n"
    assert wait_until(lambda: "numbers/numbers.txt" not in files(ride, "beside"), seconds=60, every=0.5)
    assert files(ride, "beside") == {"sum/sum": "55\n"}
    assert objects(ride, "pilots/") == []


def test_the_example_s_pods_work_on_the_volume(ride: Ride, pilots: Path) -> None:
    if not node.claimed(ride.stack):
        pytest.skip("a node for pods needs root")
    text = EXAMPLE.read_text().replace("docker.io/library/debian:12", images.job(ride.stack.layout).name)
    text = text.replace("image=IMAGE,", 'image=IMAGE, image_pull_policy="Never",')
    (pilots / "shared_volume.py").write_text(textwrap.dedent(text))

    run_id = ride.start("shared_volume")

    assert ride.await_run("shared_volume", run_id, seconds=240) == "success"
    assert files(ride, "shared_volume")["count/lines"] == "1000000\n"


def test_a_document_that_would_move_the_data_is_refused(
    ride: Ride, pilots: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever applies it is told at once; the team goes on as it was."""
    (tmp_path / "pilots.yaml").write_text(TEAM.replace("BACKEND", "s3"))

    with pytest.raises(StackError):
        ride.onboard(tmp_path / "pilots.yaml")
    told = capfd.readouterr()

    assert "BackendFixed: data of pilots lies under storage.backend 'directory'" in " ".join(told.out.split())
    newest = [TeamStatus.model_validate_json(s.value) for s in ride.said(TeamStatus.topic)]
    (status,) = [status for status in newest if status.team == "pilots"][-1:]
    assert status.spec is not None
    assert status.spec.storage.backend == "directory"
    assert status.phase == "Ready"
