"""Everything the sweep can be told from outside."""

from pathlib import Path

from outrider_chassis.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Environment variables begin with SWEEP_."""

    model_config = SettingsConfigDict(env_prefix="SWEEP_")

    airflow_url: str
    airflow_username: str
    airflow_password_file: Path

    interval_seconds: float = 2.0
    overlap_seconds: float = 120.0
    """How far back each pass reads again: rows commit after the time they carry, and clocks differ."""
    patience_seconds: float = 10.0
    """How long the listener is given to tell of something itself; a good deal shorter than the overlap."""
    gone_grace_seconds: float = 60.0
    """A run is gone when Airflow says so twice, this far apart."""
    lookback_seconds: float = 86_400.0
    """How far back the very first pass reads."""
    remember_seconds: float = 14 * 86_400.0
    """How long after its end a run is still asked about, to tell of its deletion."""
    recheck_open_seconds: float = 15.0
    recheck_ended_seconds: float = 600.0
    """How long a run that still runs, or has ended, is left before it is asked about again."""
    checks_per_round: int = 5
