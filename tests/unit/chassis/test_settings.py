"""Secrets come as files."""

from pathlib import Path

import pytest
from outrider_chassis import ServiceSettings
from outrider_chassis.settings import secret
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")


def test_settings_are_read_under_the_service_s_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "k:1",
        "DATABASE_URL": "postgresql://x@y/z",
        "ISSUER_URL": "http://t",
    }.items():
        monkeypatch.setenv(f"EXAMPLE_{name}", value)

    settings = Settings()

    assert settings.kafka_bootstrap_servers == "k:1"
    assert settings.http_host == "127.0.0.1", "nothing listens to the outside unless told to"


def test_a_secret_is_its_file_without_the_newline_an_editor_adds(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s e cret \n")

    assert secret(tmp_path / "password") == "s e cret "
    assert secret(None) == ""
