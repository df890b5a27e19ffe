"""Everything tenancy can be told from outside."""

import json
from pathlib import Path

from outrider_chassis.settings import ServiceSettings
from outrider_contracts.tenants import Backend
from pydantic import Field, TypeAdapter, field_validator
from pydantic_settings import SettingsConfigDict


class Settings(ServiceSettings):
    """Environment variables with the prefix TENANCY_."""

    model_config = SettingsConfigDict(env_prefix="TENANCY_")

    provisioners: str = "kafka,iam,storage,postgres,airflow"
    """Which provisioners are on, separated by commas."""
    secrets_dir: Path
    """The secret store on one machine: <dir>/<team>/<name>, mode 0600."""
    signing_key_file: Path
    """Ed25519 private key (PEM) that signs tokens."""
    clients_file: Path | None = None
    """{client_id: {"secret_sha256", "role", "team"}}: the platform's own clients."""

    kafka_admin_username: str = ""
    kafka_admin_password_file: Path | None = None

    teams_database_url: str = ""
    """Database with a schema per team; the role has CREATEROLE and owns it."""
    teams_database_password_file: Path | None = None

    s3_endpoint_url: str | None = None
    s3_bucket: str = "outrider"
    s3_region: str = "us-east-1"
    storage_principal_arn: str = ""
    """Who takes a team's role on."""

    airflow_database_url: str = ""
    airflow_database_password_file: Path | None = None
    airflow_bundles_file: Path | None = None
    airflow_bundles_root: Path | None = None
    """A team without a git bundle has its DAG files in <root>/<team>."""
    airflow_connections_dir: Path | None = None
    """Read by the API server's secrets backend: <dir>/<team>/<connection>."""
    storage_url: str = "http://127.0.0.1:8081"
    """Base URL of storage as tasks reach it; goes into each team's connection `outrider`."""

    storage_backends: str = "s3"
    """Where storage lets teams' data lie, separated by commas: s3, directory (a shared volume)."""

    kubernetes_kubeconfig: Path | None = None
    """Tenancy's own way into the cluster (deploy/kubernetes/tenancy.yaml says its rights); its address is also what
    the teams' tasks are given."""
    kubernetes_platform_cidrs: str = ""
    """Private addresses that pods of every team may reach, CIDRs separated by commas: storage, S3, Kafka, databases."""
    kubernetes_token_hours: int = Field(default=48, ge=1)
    """How long a runner's token is asked for; it is renewed when half of what was given has passed."""

    kubernetes_volume_source: dict[str, object] | None = None
    """JSON: the source of a PersistentVolume that is a team's directory of the shared volume, with `{team}` in it:
    {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-123:/{team}"}}."""

    @field_validator("kubernetes_volume_source")
    @classmethod
    def _per_team(cls, value: dict[str, object] | None) -> dict[str, object] | None:
        if value is not None and (len(value) != 1 or "{team}" not in json.dumps(value)):
            raise ValueError("it is one kind of volume, with {team} in it: else all teams would share one directory")
        return value

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The backends one by one. Raises ValueError for a word that is none."""
        words = (word.strip() for word in self.storage_backends.split(","))
        return TypeAdapter(tuple[Backend, ...]).validate_python([word for word in words if word])

    @property
    def platform_cidrs(self) -> tuple[str, ...]:
        """The addresses one by one."""
        return tuple(cidr.strip() for cidr in self.kubernetes_platform_cidrs.split(",") if cidr.strip())

    @property
    def names(self) -> tuple[str, ...]:
        """The provisioners that are on, in order."""
        return tuple(name.strip() for name in self.provisioners.split(",") if name.strip())
