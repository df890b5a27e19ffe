"""Everything storage can be told from outside."""

from datetime import timedelta
from pathlib import Path

from outrider_chassis.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict

from storage.cases.work import PodAddresses, Terms


class Settings(ServiceSettings):
    """Environment variables begin with STORAGE_."""

    model_config = SettingsConfigDict(env_prefix="STORAGE_")

    s3_endpoint_url: str | None = None
    """None: AWS itself. Credentials come the AWS way (profile, instance role, …)."""
    s3_bucket: str = ""
    """Empty: no team's data lies in S3."""
    s3_region: str = "us-east-1"
    volume_root: Path | None = None
    """A directory of a shared volume, with a directory per team in it; unset: no team's data lies on one."""
    team_role_arn: str = ""
    """The team's role, with `{team}` in it; storage assumes it for each try."""
    credential_seconds: int = 3600

    token_seconds: int = 7 * 86_400
    """How long a pod's token is good, should its try last that long; inputs are held no longer either."""
    pod_url: str = ""
    """This service as pods reach it; empty: as Airflow's tasks do."""
    pod_s3_endpoint_url: str = ""
    """The store as pods reach it; empty: as this service does."""

    airflow_url: str
    airflow_username: str
    airflow_password_file: Path

    default_retention_seconds: int = 3 * 86_400
    """For outputs that declare none, of teams that state none."""
    failed_retention_seconds: int = 7 * 86_400
    grace_seconds: int = 600
    undo_window_seconds: int = 86_400
    hold_seconds: int = 7 * 86_400
    seal_grace_seconds: int = 30
    phantom_seconds: int = 3600
    clearing_interval_seconds: float = 60
    tidy_interval_seconds: float = 5
    removals_per_hour: int = 5000
    """The circuit breaker: more than these, and storage freezes itself."""

    @property
    def terms(self) -> Terms:
        """How long things are kept and waited for."""
        return Terms(
            retention=f"{self.default_retention_seconds}s",
            failed_retention=f"{self.failed_retention_seconds}s",
            grace=timedelta(seconds=self.grace_seconds),
            undo=timedelta(seconds=self.undo_window_seconds),
            hold=timedelta(seconds=self.hold_seconds),
            seal_grace=timedelta(seconds=self.seal_grace_seconds),
            phantom_after=timedelta(seconds=self.phantom_seconds),
            removals_per_hour=self.removals_per_hour,
            token=timedelta(seconds=self.token_seconds),
        )

    @property
    def pods(self) -> PodAddresses:
        """Where pods find what they need."""
        return PodAddresses(self.pod_url, self.pod_s3_endpoint_url)
