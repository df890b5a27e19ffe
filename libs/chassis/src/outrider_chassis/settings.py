"""What every service can be told from outside. A service subclasses it and names its prefix."""

from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


def secret(file: Path | None) -> str:
    """The secret kept in *file*, without the newline editors add; "" where no file is named."""
    return "" if file is None else file.read_text().rstrip("\n")


class ServiceSettings(BaseSettings):
    """Addresses and log format. Secrets come as files, never as values: environments and command lines are visible.

    Subclass with `model_config = SettingsConfigDict(env_prefix="STORAGE_")`; the rest of the configuration is kept.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    kafka_bootstrap_servers: str
    kafka_username: str = ""
    """SCRAM-SHA-512 user; "" means no authentication (PLAINTEXT)."""
    kafka_password_file: Path | None = None
    database_url: str
    """postgresql://user@host:port/database, without the password."""
    database_password_file: Path | None = None
    database_pool_size: int = 10
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    issuer_url: str
    """Base URL of tenancy, which mints tokens and publishes its keys."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
