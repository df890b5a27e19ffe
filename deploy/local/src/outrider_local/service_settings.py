"""What each service is told on this machine. Addresses as values, secrets as files."""

import os
from collections.abc import Mapping

from outrider_local import airflow_config, identities, kafka, postgres, s3, s3_users, volume
from outrider_local.kubernetes import network, node, rights
from outrider_local.names import ACCOUNT, BUCKET, REGION, TEAMS_DATABASE
from outrider_local.stack import Stack


def url(stack: Stack, service: str) -> str:
    """Base URL of *service*."""
    return f"http://127.0.0.1:{stack.ports.of(service)}"


def environment(stack: Stack, service: str) -> dict[str, str]:
    """The whole environment of *service*: what all are told, its own part, and what the caller sets beyond that.

    A variable with the service's prefix in the caller's environment (STORAGE_GRACE_SECONDS=5) wins. OpenTelemetry's
    own variables (OTEL_…) are passed on, but for the one name that they would all bear.
    """
    own = {"tenancy": _tenancy, "storage": _storage, "lineage": _lineage, "sweep": _sweep}[service]
    prefix = f"{service.upper()}_"
    told = {**_common(stack, service), **own(stack)}
    chosen = {name: value for name, value in os.environ.items() if name.startswith((prefix, "OTEL_"))}
    chosen.pop("OTEL_SERVICE_NAME", None)
    return {
        **_everywhere(),
        **{f"{prefix}{name}": value for name, value in told.items()},
        **_aws(stack, service),
        **chosen,
    }


def _everywhere() -> dict[str, str]:
    # one arena per two cores would cost each service some 20 MiB
    return {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}


def _common(stack: Stack, service: str) -> Mapping[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap(stack),
        "KAFKA_USERNAME": service,
        "KAFKA_PASSWORD_FILE": _kafka_password(stack, service),
        "DATABASE_URL": postgres.url(stack, service),
        "DATABASE_PASSWORD_FILE": str(postgres.password_file(stack, service)),
        "DATABASE_POOL_SIZE": "5",
        "HTTP_PORT": str(stack.ports.of(service)),
        "ISSUER_URL": url(stack, "tenancy"),
        "LOG_FORMAT": "json",
    }


def _tenancy(stack: Stack) -> Mapping[str, str]:
    cluster, volumes = rights.kubeconfig(stack), volume.offered(stack)
    return {
        "PROVISIONERS": "kafka,iam,storage,postgres,airflow" + (",kubernetes" if cluster else ""),
        **({"KUBERNETES_KUBECONFIG": str(cluster), "KUBERNETES_PLATFORM_CIDRS": str(network.PODS)} if cluster else {}),
        # its own user has the rights of an administrator of teams, see topics.rights
        "KAFKA_ADMIN_USERNAME": "tenancy",
        "KAFKA_ADMIN_PASSWORD_FILE": _kafka_password(stack, "tenancy"),
        "TEAMS_DATABASE_URL": postgres.url(stack, "tenancy", TEAMS_DATABASE),
        "TEAMS_DATABASE_PASSWORD_FILE": str(postgres.password_file(stack, "tenancy")),
        "AIRFLOW_DATABASE_URL": postgres.url(stack, "tenancy", "airflow"),
        "AIRFLOW_DATABASE_PASSWORD_FILE": str(postgres.password_file(stack, "tenancy")),
        "AIRFLOW_BUNDLES_FILE": str(airflow_config.bundles_file(stack)),
        "AIRFLOW_BUNDLES_ROOT": str(stack.layout.bundles),
        "AIRFLOW_CONNECTIONS_DIR": str(airflow_config.connections_directory(stack)),
        **_object_store(stack),
        "STORAGE_URL": url(stack, "storage"),
        **({"STORAGE_BACKENDS": "s3,directory", "KUBERNETES_VOLUME_SOURCE": volume.source(stack)} if volumes else {}),
        "STORAGE_PRINCIPAL_ARN": s3_users.user_arn("storage"),
        "SECRETS_DIR": str(stack.secrets.directory("teams")),
        "SIGNING_KEY_FILE": str(identities.signing_key(stack.secrets)),
        "CLIENTS_FILE": str(identities.clients(stack.secrets)),
    }


def _storage(stack: Stack) -> Mapping[str, str]:
    return {
        **({"VOLUME_ROOT": str(volume.root(stack))} if volume.offered(stack) else {}),
        **_object_store(stack),
        **_airflow(stack),
        "TEAM_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/outrider/teams/outrider-team-{{team}}",
        "CLEARING_INTERVAL_SECONDS": "10",
        **_pods(stack),
    }


def _pods(stack: Stack) -> Mapping[str, str]:
    """Where pods find storage and S3."""
    if not node.claimed(stack):
        return {}
    return {
        "POD_URL": f"http://{node.forwarded(stack, 'storage')}",
        "POD_S3_ENDPOINT_URL": f"http://{node.forwarded(stack, 's3')}",
    }


def _lineage(_stack: Stack) -> Mapping[str, str]:
    return {"DEPLOYMENT": "airflow://local"}


def _sweep(stack: Stack) -> Mapping[str, str]:
    return {**_airflow(stack), "INTERVAL_SECONDS": "5"}


def _object_store(stack: Stack) -> Mapping[str, str]:
    return {"S3_ENDPOINT_URL": s3.url(stack), "S3_BUCKET": BUCKET, "S3_REGION": REGION}


def _airflow(stack: Stack) -> Mapping[str, str]:
    stack.secrets.password("airflow-outrider")
    return {
        "AIRFLOW_URL": airflow_config.url(stack),
        "AIRFLOW_USERNAME": "outrider",
        "AIRFLOW_PASSWORD_FILE": str(stack.secrets.path("airflow-outrider")),
    }


def _aws(stack: Stack, service: str) -> Mapping[str, str]:
    """The AWS SDKs' own settings; nothing of the caller's account or of an instance's role is looked at."""
    if service not in s3_users.POLICIES:
        return {}
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials_file(stack)),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_PROFILE": service,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _kafka_password(stack: Stack, principal: str) -> str:
    stack.secrets.password(f"kafka-{principal}")
    return str(stack.secrets.path(f"kafka-{principal}"))
