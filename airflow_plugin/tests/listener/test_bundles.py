"""The list of bundles, taken from a file."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.base import get_bundle_storage_root_path
from airflow.dag_processing.bundles.manager import DagBundlesManager
from outrider_airflow import bundles


@pytest.fixture(autouse=True)
def _own_environment() -> None:
    os.environ.pop(bundles.OPTION, None)


def test_a_process_uses_the_list_as_it_is_when_it_starts(tmp_path: Path) -> None:
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([{"name": "ads", "team_name": "ads"}]))

    bundles.refresh(str(file))

    assert json.loads(os.environ[bundles.OPTION]) == [{"name": "ads", "team_name": "ads"}]


@pytest.mark.parametrize("text", ["", "{", '{"name": "ads"}'])
def test_a_broken_file_leaves_the_list_the_process_has(tmp_path: Path, text: str) -> None:
    os.environ[bundles.OPTION] = "[]"
    file = tmp_path / "bundles.json"
    file.write_text(text)

    with pytest.raises(ValueError, match=r".*"):
        bundles.refresh(str(file))

    assert os.environ[bundles.OPTION] == "[]"


def test_a_bundle_whose_code_is_not_there_takes_no_other_with_it(tmp_path: Path) -> None:
    entries = [
        {"name": "ads", "classpath": "airflow.providers.git.bundles.git.GitDagBundle"},
        {"name": "news", "classpath": "nowhere.to.be.Found"},
        {"name": "sales", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"},
    ]
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps(entries))

    bundles.refresh(str(file))

    assert [entry["name"] for entry in json.loads(os.environ[bundles.OPTION])] == ["ads", "sales"]


def test_airflow_fetches_a_team_s_repository_without_any_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is what tenancy writes; a newer commit of the branch is taken up at the next look."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "storage"))
    repository = tmp_path / "dags"
    commit(repository, "one")
    kwargs = {"repo_url": f"file://{repository}", "tracking_ref": "live", "refresh_interval": 30}
    entry = {"name": "ads", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": kwargs}
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([entry]))
    bundles.refresh(str(file))

    bundle = DagBundlesManager().get_bundle("ads")  # type: ignore[no-untyped-call]
    bundle.initialize()

    assert (bundle.path / "dag.py").read_text() == "one"
    assert bundles.bundle_of(bundle.path / "dag.py", str(file)) == "ads"

    commit(repository, "two")
    bundle.refresh()

    assert (bundle.path / "dag.py").read_text() == "two"


def commit(repository: Path, text: str) -> None:
    """The one file of branch `live` holds *text* from now on."""
    repository.mkdir(exist_ok=True)
    (repository / "dag.py").write_text(text)
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for arguments in (("init", "-q", "-b", "live"), ("add", "dag.py"), (*who, "commit", "-q", "-m", text)):
        subprocess.run(("git", "-C", str(repository), *arguments), check=True)


def test_a_file_of_a_fetched_bundle_is_told_by_the_directory_below_airflow_s_storage(tmp_path: Path) -> None:
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([{"name": "ads", "kwargs": {"repo_url": "x"}, "team_name": "ads"}]))
    storage = get_bundle_storage_root_path()  # type: ignore[no-untyped-call]

    assert bundles.bundle_of(storage / "ads" / "versions" / "c0ffee" / "daily.py", str(file)) == "ads"
    assert bundles.bundle_of(storage / "other" / "daily.py", str(file)) == ""


def test_a_file_of_a_dag_is_told_by_its_bundles_directory(tmp_path: Path) -> None:
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([{"name": "ads-dags", "kwargs": {"path": "/dags/ads"}, "team_name": "ads"}]))

    assert bundles.bundle_of(Path("/dags/ads/sub/daily.py"), str(file)) == "ads-dags"
    assert bundles.bundle_of(Path("/dags/ads-old/daily.py"), str(file)) == ""
    assert bundles.teams_by_bundle(str(file)) == {"ads-dags": "ads"}
