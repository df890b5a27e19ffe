"""Whoever follows something outlasts its service; what is not there is not waited for, but named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from outrider_cli import connection
from outrider_cli.connection import Connection, Missing, NotConnected, outlasting
from outrider_cli.main import app
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(connection, "_ABSENCE_SECONDS", 0.5)


def failing(*errors: NotConnected) -> Callable[[], str]:
    """Answers once all *errors* are raised."""
    left = list(errors)

    def ask() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return ask


def test_a_service_that_is_started_anew_is_waited_for() -> None:
    assert outlasting(failing(NotConnected("away"), NotConnected("away"))) == "answer"


def test_what_is_not_there_is_said_at_once() -> None:
    with pytest.raises(Missing):
        outlasting(failing(Missing("no such run")))


def test_a_service_that_stays_away_is_not_waited_for_for_ever() -> None:
    with pytest.raises(NotConnected, match="away"):
        outlasting(failing(*[NotConnected("away")] * 1_000_000))


@pytest.mark.parametrize(
    ("variable", "command"),
    [("OUTRIDER_KAFKA_PASSWORD_FILE", "topics"), ("OUTRIDER_CLIENT_SECRET_FILE", "parked")],
)
def test_a_secret_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, command: str
) -> None:
    monkeypatch.setenv("OUTRIDER_TENANCY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, str(tmp_path / "absent"))

    result = CliRunner().invoke(app, ["events", command])

    assert result.exit_code == 1
    assert f"{tmp_path / 'absent'}, can't be read: No such file or directory" in result.stderr


@pytest.mark.parametrize("command", [("replay", "storage"), ("replays",), ("replays", "cancel", "r-1")])
def test_why_no_service_tells_of_replays_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("OUTRIDER_TENANCY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("OUTRIDER_CLIENT_SECRET_FILE", str(tmp_path / "absent"))

    result = CliRunner().invoke(app, ["events", *command])

    assert result.exit_code == 1
    assert (
        result.stderr
        == f"error: the file with a secret, {tmp_path / 'absent'}, can't be read: No such file or directory\n"
    )


def test_bytes_that_are_no_text_are_not_sent() -> None:
    nowhere = Connection(urls={"storage": "http://127.0.0.1:9"}, client_id="", secret_file=Path(), kafka={})

    with pytest.raises(NotConnected, match="no text"):
        nowhere.ask("storage", "/v1/bus/replays", "POST", json={"keys": ["\udcff"]})
