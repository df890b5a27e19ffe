"""Puts tenancy together: the only module that knows all the others."""

from collections.abc import Callable, Mapping
from functools import partial

import aioboto3
from aiobotocore.config import AioConfig
from confluent_kafka.admin import AdminClient
from outrider_bus.kafka import KafkaAddress
from outrider_chassis.http import verify_with
from outrider_chassis.service import Resources
from outrider_chassis.settings import secret
from outrider_chassis.tokens import KeySet
from outrider_contracts.tenants import TeamDesired

from tenancy.adapters.airflow import AirflowProvisioner, Place
from tenancy.adapters.file_secrets import FileSecretStore
from tenancy.adapters.iam import IamProvisioner, Store
from tenancy.adapters.iam_client import Connect
from tenancy.adapters.kafka import KafkaProvisioner
from tenancy.adapters.kafka_admin import KafkaAdmin
from tenancy.adapters.kafka_quotas import KafkaQuotas
from tenancy.adapters.kubernetes import KubernetesProvisioner, Site
from tenancy.adapters.postgres import PostgresProvisioner
from tenancy.adapters.postgres_clients import PostgresClients
from tenancy.adapters.postgres_registry import PostgresRegistry
from tenancy.adapters.signing import EdSigner
from tenancy.adapters.storage import StorageProvisioner
from tenancy.api import Answers, add_routes
from tenancy.handlers.desired import TeamWithdrawn, decode_desired, hear_desired
from tenancy.handlers.loop import work
from tenancy.handlers.reconcile import Reconciler
from tenancy.ports import Provisioner, SecretStore
from tenancy.settings import Settings


async def wire(resources: Resources[Settings]) -> None:
    """Build the adapters, hear the onboarding topic, work off the table, answer over HTTP."""
    settings, pool = resources.settings, resources.pool
    registry = PostgresRegistry(pool, resources.bus.database, settings.names)
    clients = PostgresClients(pool, settings.clients_file)
    provisioners = make_provisioners(settings, registry, clients)
    signer = EdSigner(settings.signing_key_file, settings.issuer_url)
    verify_with(resources.app, KeySet(settings.issuer_url, signer.jwks))
    add_routes(resources.app, Answers(registry, clients, signer, provisioners))
    resources.bus.batches(
        group="tenancy",
        topics=(TeamDesired.topic,),
        types=(TeamDesired, TeamWithdrawn),
        handler=partial(hear_desired, ledger_of=registry.ledger, offered=settings.backends),
        decode=decode_desired,
        never_again=dict.fromkeys(
            (TeamDesired, TeamWithdrawn), "a replay may not change a tenant; outrider tenants apply"
        ),
    )
    reconciler = Reconciler(registry, provisioners)
    resources.background.append(registry.listen)
    resources.background.append(partial(work, registry, reconciler))


def make_provisioners(
    settings: Settings, registry: PostgresRegistry, clients: PostgresClients
) -> tuple[Provisioner, ...]:
    """The provisioners the settings name. To add one: a module in adapters, a line here, the contract suite."""
    secrets = FileSecretStore(settings.secrets_dir)
    known: Mapping[str, Callable[[], Provisioner]] = {
        "kafka": lambda: _kafka(settings, secrets),
        "iam": lambda: IamProvisioner(_iam(settings), _store(settings), secrets),
        "storage": lambda: StorageProvisioner(settings.backends),
        "postgres": lambda: PostgresProvisioner(
            settings.teams_database_url, settings.teams_database_password_file, secrets
        ),
        "airflow": lambda: AirflowProvisioner(_airflow(settings), registry, clients),
        "kubernetes": lambda: _kubernetes(settings),
    }
    if unknown := [name for name in settings.names if name not in known]:
        raise ValueError(f"TENANCY_PROVISIONERS names {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name]() for name in settings.names)


def _kafka(settings: Settings, secrets: SecretStore) -> KafkaProvisioner:
    servers, user = settings.kafka_bootstrap_servers, settings.kafka_admin_username
    password = secret(settings.kafka_admin_password_file)
    configuration: dict[str, str | int | float | bool] = {
        "bootstrap.servers": servers, "client.id": "tenancy-admin", "log_level": 0,
    }  # fmt: skip
    if user:
        configuration |= {
            "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": user,
            "sasl.password": password,
        }  # fmt: skip
    quotas = KafkaQuotas(KafkaAddress(servers, user, password))
    return KafkaProvisioner(KafkaAdmin(AdminClient(configuration)), quotas, secrets, servers)


def _iam(settings: Settings) -> Connect:
    session = aioboto3.Session()
    config = AioConfig(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=20)
    return partial(
        session.client, "iam", endpoint_url=settings.s3_endpoint_url, region_name=settings.s3_region, config=config
    )


def _store(settings: Settings) -> Store:
    return Store(settings.s3_bucket, settings.s3_endpoint_url, settings.s3_region, settings.storage_principal_arn)


def _airflow(settings: Settings) -> Place:
    if not (settings.airflow_bundles_file and settings.airflow_bundles_root and settings.airflow_connections_dir):
        raise ValueError(
            "the airflow provisioner needs TENANCY_AIRFLOW_BUNDLES_FILE, _BUNDLES_ROOT and _CONNECTIONS_DIR"
        )
    return Place(
        database_url=settings.airflow_database_url,
        database_password_file=settings.airflow_database_password_file,
        bundles_file=settings.airflow_bundles_file,
        bundles_root=settings.airflow_bundles_root,
        connections=settings.airflow_connections_dir,
        storage_url=settings.storage_url,
        token_url=f"{settings.issuer_url.rstrip('/')}/v1/token",
    )


def _kubernetes(settings: Settings) -> KubernetesProvisioner:
    if settings.kubernetes_kubeconfig is None or settings.airflow_connections_dir is None:
        raise ValueError(
            "the kubernetes provisioner needs TENANCY_KUBERNETES_KUBECONFIG and TENANCY_AIRFLOW_CONNECTIONS_DIR"
        )
    if "directory" in settings.backends and settings.kubernetes_volume_source is None:
        raise ValueError("TENANCY_KUBERNETES_VOLUME_SOURCE has to say how pods reach a team's directory")
    # the client's 767 classes cost two seconds and 60 MiB, which only those who use it shall pay
    from tenancy.adapters.kubernetes_cluster import ApiCluster, address_in

    site = Site(
        address_in(settings.kubernetes_kubeconfig), settings.airflow_connections_dir, settings.platform_cidrs,
        settings.kubernetes_token_hours * 3600, settings.kubernetes_volume_source,
    )  # fmt: skip
    return KubernetesProvisioner(ApiCluster(settings.kubernetes_kubeconfig), site)
