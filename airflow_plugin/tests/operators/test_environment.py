"""What a job is told, in its document and in its variables."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from outrider_airflow.job_environment import check_names, document, inherited, variables
from outrider_contracts.declarations import Mode
from outrider_contracts.environments import InputVersion, OutputPlace, VersionKey
from outrider_contracts.http import Environment, EnvironmentDocument, StoreAddress
from outrider_contracts.keys import TaskKey
from outrider_stage import Layout

TASK = TaskKey(team="ads", dag_id="daily", run_id="r", task_id="load")
S3 = StoreAddress(kind="s3", bucket="outrider")
VOLUME = StoreAddress(kind="directory", root="/mnt/outrider/")


def part(map_index: int) -> InputVersion:
    producer = TASK.model_copy(update={"task_id": "extract", "map_index": map_index})
    key = VersionKey(**producer.model_dump(), output="orders", generation=2)
    return InputVersion(version=key, path=f"ads/daily/extract/x/m{map_index}/orders/g2/", format="parquet")


def told(
    mode: Mode, logical_date: datetime | None = None, store: StoreAddress = S3, **params: object
) -> dict[str, str]:
    return variables(written(mode, logical_date, store, **params), Layout(Path("/job")), Path("/job/environment.json"))


def written(
    mode: Mode, logical_date: datetime | None = None, store: StoreAddress = S3, **params: object
) -> EnvironmentDocument:
    environment = Environment(
        task=TASK.attempt(2),
        run_started_at=datetime(2026, 11, 1, tzinfo=UTC),
        generation=3,
        place="ads/daily/load/x",
        mode=mode,
        store=store,
        inputs={"orders": (part(0), part(1)), "none-yet": ()},
        outputs={"daily": OutputPlace(path="ads/daily/load/x/daily/g3/", format="csv")},
    )
    layout = Layout(Path("/job"))
    return document(environment, layout, logical_date=logical_date, params=params, sources={}, destinations={})


def test_files_are_directories() -> None:
    """Parts of a mapped producer lie in the input's directory, an input without parts is an empty one."""
    said = told("files")

    assert said["OUTRIDER_INPUT_ORDERS"] == "/job/inputs/orders"
    assert said["OUTRIDER_INPUT_NONE_YET"] == "/job/inputs/none-yet"
    assert said["OUTRIDER_OUTPUT_DAILY"] == "/job/outputs/daily"


def test_formats_are_told_where_they_were_declared() -> None:
    """Of inputs by their producers, of outputs by the task itself; nothing else is said of a format."""
    assert written("files").formats == {"inputs": {"orders": "parquet"}, "outputs": {"daily": "csv"}}


def test_uris_are_the_stores_own() -> None:
    """Several parts are several URIs; places hold no spaces."""
    said = told("uris")

    assert said["OUTRIDER_INPUT_ORDERS"].split() == [f"s3://outrider/{part(n).path}" for n in (0, 1)]
    assert said["OUTRIDER_OUTPUT_DAILY"] == "s3://outrider/ads/daily/load/x/daily/g3/"


def test_on_a_volume_they_are_directories_where_they_lie() -> None:
    """Nothing is carried, so the parts of a mapped producer stay apart."""
    said = told("volume", store=VOLUME)

    assert said["OUTRIDER_INPUT_ORDERS"].split() == [
        f"/mnt/outrider/ads/daily/extract/x/m{n}/orders/g2" for n in (0, 1)
    ]
    assert said["OUTRIDER_OUTPUT_DAILY"] == "/mnt/outrider/ads/daily/load/x/daily/g3"


def test_the_task_is_told_who_it_is() -> None:
    """Enough to log by, or to be idempotent by."""
    said = told("files", logical_date=datetime(2026, 11, 1, tzinfo=UTC))

    assert said["OUTRIDER_ENVIRONMENT"] == "/job/environment.json"
    who = ("TEAM", "DAG_ID", "RUN_ID", "TASK_ID", "MAP_INDEX", "TRY_NUMBER")
    assert [said[f"OUTRIDER_{name}"] for name in who] == ["ads", "daily", "r", "load", "-1", "2"]
    assert said["OUTRIDER_LOGICAL_DATE"] == "2026-11-01T00:00:00+00:00"
    assert "OUTRIDER_LOGICAL_DATE" not in told("files")


def test_params_that_are_scalars_are_variables() -> None:
    """As a shell would write them; the rest stands in the document, None nowhere."""
    said = told("files", None, S3, **{"airport": "JFK", "top-n": 3, "rate": 0.5, "dry": False, "list": [1], "no": None})

    assert {name: value for name, value in said.items() if "PARAM" in name} == {
        "OUTRIDER_PARAM_AIRPORT": "JFK",
        "OUTRIDER_PARAM_TOP_N": "3",
        "OUTRIDER_PARAM_RATE": "0.5",
        "OUTRIDER_PARAM_DRY": "false",
    }


def test_names_that_would_share_a_variable_are_refused() -> None:
    """One of them would silently win."""
    with pytest.raises(ValueError, match=r"inputs 'a-b' and 'A_b' would share the variable …_A_B; rename one"):
        check_names("inputs", ["a-b", "c", "A_b"])


def test_what_airflow_knows_is_not_passed_on() -> None:
    """Configuration, connections and credentials of the worker stay with the worker."""
    worker = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "secret",
        "AIRFLOW_CONN_ORDERS": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HOME": "/root",
    }

    assert inherited(worker) == {"PATH": "/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
