"""The bundle list names every team, always: one that is left out would lose its DAGs."""

import json
from typing import Any

import pytest
from outrider_contracts.tenants import AirflowSpec
from tenancy.domain.bundles import bundle_list, mistake, pool_names
from tenancy.domain.teams import Wanted

from tests.unit.tenancy.teams import desired


def wanted(team: str, **spec: Any) -> Wanted:
    made = desired(team, **spec)
    return Wanted(team, made.uid, made.spec)


def test_a_suspended_team_keeps_its_bundle() -> None:
    listed = json.loads(bundle_list([wanted("news"), wanted("ads", lifecycle="Suspended")], "/bundles"))

    assert [entry["name"] for entry in listed] == ["ads", "news"]


def test_a_team_without_a_repository_has_a_directory() -> None:
    (entry,) = json.loads(bundle_list([wanted("ads")], "/bundles/"))

    assert entry["kwargs"]["path"] == "/bundles/ads"
    assert entry["team_name"] == "ads"


def test_a_team_with_a_repository_is_read_from_it() -> None:
    spec = {"airflow": {"bundle": {"git": "https://git.example.org/ads.git", "ref": "live"}}}
    (entry,) = json.loads(bundle_list([wanted("ads", **spec)], "/bundles"))

    assert entry["classpath"].endswith("GitDagBundle")
    assert entry["kwargs"]["repo_url"] == "https://git.example.org/ads.git"
    assert entry["kwargs"]["tracking_ref"] == "live"


@pytest.mark.parametrize(
    "git", ["https://git.example.org/ads.git", "ssh://git@host/ads", "git@host.example:ads/dags.git", "file:///srv/ads"]
)
def test_repositories_are_written_as_git_has_them(git: str) -> None:
    assert mistake(AirflowSpec.Bundle(git=git)) == ""


@pytest.mark.parametrize(
    "bundle",
    [
        {"git": "ext::sh -c id"}, {"git": "--upload-pack=id"}, {"git": "/srv/ads"}, {"git": "http://host/ads"},
        {"git": "https://host/ads", "ref": "--force"}, {"git": "https://host/ads", "ref": ""},
    ],
)  # fmt: skip
def test_what_git_would_take_for_a_command_is_refused_and_listed_nowhere(bundle: dict[str, str]) -> None:
    """The team keeps its directory, so that the list stays good for all others."""
    (entry,) = json.loads(bundle_list([wanted("ads", airflow={"bundle": bundle})], "/bundles"))

    assert "write" in mistake(AirflowSpec.Bundle.model_validate(bundle))
    assert entry["kwargs"]["path"] == "/bundles/ads"


def test_pools_of_two_teams_never_meet() -> None:
    assert not pool_names("ads", ["default", "x"]).keys() & pool_names("ads-default", ["default", "x"]).keys()
