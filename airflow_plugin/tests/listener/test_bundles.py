"""The list of bundles, taken from a file."""

import json
import os
from pathlib import Path

import pytest
from airflow.dag_processing.bundles.base import get_bundle_storage_root_path
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


def test_a_file_of_a_fetched_bundle_is_told_by_the_directory_below_airflow_s_storage(tmp_path: Path) -> None:
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([{"name": "ads", "kwargs": {"repo_url": "x"}, "team_name": "ads"}]))
    storage = get_bundle_storage_root_path()

    assert bundles.bundle_of(storage / "ads" / "versions" / "c0ffee" / "daily.py", str(file)) == "ads"
    assert bundles.bundle_of(storage / "other" / "daily.py", str(file)) == ""


def test_a_file_of_a_dag_is_told_by_its_bundles_directory(tmp_path: Path) -> None:
    file = tmp_path / "bundles.json"
    file.write_text(json.dumps([{"name": "ads-dags", "kwargs": {"path": "/dags/ads"}, "team_name": "ads"}]))

    assert bundles.bundle_of(Path("/dags/ads/sub/daily.py"), str(file)) == "ads-dags"
    assert bundles.bundle_of(Path("/dags/ads-old/daily.py"), str(file)) == ""
    assert bundles.teams_by_bundle(str(file)) == {"ads-dags": "ads"}
