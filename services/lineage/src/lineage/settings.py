"""What can be told from outside."""

from outrider_chassis.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Read from the environment with the prefix `LINEAGE_`."""

    model_config = SettingsConfigDict(env_prefix="LINEAGE_")

    settle_seconds: float = 60.0
    """How long a try's end waits for its seal before it is told without."""
    settle_interval_seconds: float = 1.0
    """How often waits are looked at."""
    deployment: str = "airflow://local"
    """OpenLineage namespace of this Airflow; a team's is `{deployment}/{team}`."""
    airflow_version: str = "3.3"
    """Said as the processing engine's version."""
