"""What a site tells the plugin: the section `[outrider]` of airflow.cfg (or `AIRFLOW__OUTRIDER__…`)."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Everything has a default; without `bootstrap_servers` nothing is published."""

    bootstrap_servers: str = ""
    kafka_username: str = ""
    """Empty means no authentication; else SASL with SCRAM-SHA-512."""
    kafka_password_file: str = ""
    kafka_security_protocol: str = ""
    """Default: SASL_PLAINTEXT with a user name, else PLAINTEXT."""
    kafka_ca_file: str = ""
    source: str = "airflow"
    """The `ce_source` of all facts: which Airflow says them."""
    spool_directory: str = "/var/tmp/outrider-spool"  # noqa: S108  it must outlive a restart
    bundles_file: str = ""
    """A JSON list for `[dag_processor] dag_bundle_config_list`, read anew by every task; empty: Airflow's own list."""
    bundle_teams: dict[str, str] = field(default_factory=dict)
    """JSON object: bundle name -> team, for a site without multi-team mode."""
    path_rule: str = ""
    """A regular expression with a group `team`, searched in the path of the DAG's file."""
    tag_binds: bool = False
    """Whether a tag `team:x` decides where neither team, bundle nor path does."""
    default_team: str = "default"
    """The team of a DAG nothing else binds; empty: such DAGs are not spoken of."""

    team_namespaces: bool = False
    """Whether tenancy keeps a Kubernetes namespace per team: a team's pods run there alone, under its accounts."""

    ensure_timeout_seconds: float = 60.0
    """How long an environment task waits for storage before it fails and may be retried."""
    work_directory: str = ""
    """Where local jobs get their directories; empty: the system's place for temporary files."""
    volume_root: str = ""
    """Where workers have the shared volume, with a directory per team in it; empty: where storage has it."""

    tabs_client_id: str = "airflow-api"
    """The API server's client at the token endpoint: a viewer of the platform."""
    tabs_secret_file: str = ""
    """Its secret. Told to the API server alone (`AIRFLOW__OUTRIDER__TABS_SECRET_FILE`); empty: no tabs."""
    token_url: str = ""
    storage_url: str = ""
    lineage_url: str = ""
    """Where the tabs ask; tasks get storage's address from their team's connection."""
    stager_image: str = ""
    """The image that carries data in and out of pods; Airflow's XCom sidecar uses it too."""
    stager_pull_policy: str = "IfNotPresent"
    stager_resources: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}
    )
    """JSON object: requests and limits of what carries data."""

    kubernetes_api_url: str = "https://kubernetes.default.svc"
    """The API server as pods reach it: Spark's drivers ask it for executors."""
    kubernetes_api_address: str = ""
    """The address behind the name in it, where the cluster's own names don't say it."""

    airflow_traces: bool = False
    """Airflow's `[traces] otel_on`: its traces are gone on with; else each run has one that follows from its key."""

    @property
    def spool(self) -> Path:
        return Path(self.spool_directory)


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    from airflow.configuration import conf

    def said(key: str, default: str) -> str:
        return str(conf.get("outrider", key, fallback=default))

    plain = Settings()
    texts = {
        key: said(key, getattr(plain, key)) for key, kind in Settings.__annotations__.items() if kind in (str, "str")
    }
    return Settings(
        **texts,
        bundle_teams=json.loads(said("bundle_teams", "{}")),
        stager_resources=json.loads(said("stager_resources", json.dumps(plain.stager_resources))),
        ensure_timeout_seconds=float(said("ensure_timeout_seconds", str(plain.ensure_timeout_seconds))),
        airflow_traces=conf.getboolean("traces", "otel_on", fallback=False),
        team_namespaces=conf.getboolean("outrider", "team_namespaces", fallback=False),
        tag_binds=said("tag_binds", "False").lower() in ("true", "1", "yes", "t"),
    )
