"""Connections by team."""

from pathlib import Path

import pytest
from outrider_airflow.secrets import TeamFileBackend


@pytest.fixture
def backend(tmp_path: Path) -> TeamFileBackend:
    """Team ads has a connection and a variable, and beside the root lies what nobody may read."""
    (tmp_path / "root" / "ads").mkdir(parents=True)
    (tmp_path / "root" / "ads" / "orders_db").write_text("postgres://ads@db/orders")
    (tmp_path / "root" / "ads" / "var.limit").write_text("7")
    (tmp_path / "password").write_text("hidden")
    return TeamFileBackend(str(tmp_path / "root"))


def test_a_team_gets_its_own(backend: TeamFileBackend) -> None:
    assert backend.get_conn_value("orders_db", team_name="ads") == "postgres://ads@db/orders"
    assert backend.get_variable("limit", team_name="ads") == "7"


def test_another_team_gets_nothing(backend: TeamFileBackend) -> None:
    assert backend.get_conn_value("orders_db", team_name="news") is None


def test_who_comes_without_a_team_gets_nothing(backend: TeamFileBackend) -> None:
    assert backend.get_conn_value("orders_db") is None
    assert backend.get_variable("limit") is None


@pytest.mark.parametrize(
    ("team", "name"), [("ads", "../../password"), ("..", "password"), ("ads/../..", "password"), ("", "ads/orders_db")]
)
def test_no_name_leads_out_of_the_directory(backend: TeamFileBackend, team: str, name: str) -> None:
    assert backend.get_conn_value(name, team_name=team) is None


def test_a_process_of_one_team_is_told_whose_it_is(backend: TeamFileBackend, tmp_path: Path) -> None:
    """A triggerer: Airflow names no team when it asks."""
    told = TeamFileBackend(str(tmp_path / "root"), team="ads")

    assert told.get_conn_value("orders_db") == "postgres://ads@db/orders"
    assert TeamFileBackend(str(tmp_path / "root"), team="news").get_conn_value("orders_db") is None
