"""Provisioners on the run's real systems, under the rights tenancy has in production, and ways in as the teams have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import uuid4

import aioboto3
import asyncpg
from confluent_kafka.admin import AdminClient
from outrider_bus.kafka import KafkaAddress
from outrider_contracts.tenants import Acceptance, TeamSpec
from outrider_contracts.topics import TopicSpec
from outrider_local import s3_users
from outrider_local.handles import Database, RunningKafka, RunningKubernetes, RunningPostgres, RunningS3
from tenancy.adapters.airflow import AirflowProvisioner, Place
from tenancy.adapters.file_secrets import FileSecretStore
from tenancy.adapters.iam import IamProvisioner, Store
from tenancy.adapters.kafka import KafkaProvisioner
from tenancy.adapters.kafka_admin import KafkaAdmin
from tenancy.adapters.kafka_quotas import KafkaQuotas
from tenancy.adapters.kubernetes import KubernetesProvisioner, Site
from tenancy.adapters.kubernetes_cluster import ApiCluster, address_in
from tenancy.adapters.memory import MemoryClients
from tenancy.adapters.memory_cluster import MemoryCluster
from tenancy.adapters.postgres import PostgresProvisioner
from tenancy.domain.kubeconfig import ClusterAddress
from tenancy.domain.rights import Right
from tenancy.domain.teams import Wanted

from tests.integration.bus.real_world import eventually

TABLES = Path(__file__).with_name("airflow_tables.sql")
VOLUME = {"hostPath": {"path": "/srv/outrider/{team}", "type": "Directory"}}


def new_team(**spec: object) -> Wanted:
    """A team nobody has seen yet."""
    return Wanted(f"t{uuid4().hex[:10]}", uuid4().hex, TeamSpec.model_validate(spec))


def changed(wanted: Wanted, *readable: Acceptance, **spec: object) -> Wanted:
    """The same team under another spec."""
    return Wanted(wanted.team, wanted.uid, TeamSpec.model_validate(spec), readable)


@dataclass
class MemoryRoster:
    """Teams in force."""

    teams: list[Wanted] = field(default_factory=list)

    async def wanted(self) -> Sequence[Wanted]:
        return self.teams


class SettledKafkaAdmin(KafkaAdmin):
    """Waits until the broker itself says what its controller has answered: it hears of it a moment later."""

    async def create_topic(self, topic: TopicSpec) -> None:
        async def there() -> bool:
            return topic.name in await self.topics()

        await super().create_topic(topic)
        await eventually(there)

    async def allow(self, rights: Iterable[Right]) -> None:
        new = tuple(rights)

        async def in_force() -> bool:
            return await self._held(new) == set(new)

        await super().allow(new)
        await eventually(in_force)

    async def disallow(self, rights: Iterable[Right]) -> None:
        old = tuple(rights)

        async def over() -> bool:
            return not await self._held(old)

        await super().disallow(old)
        await eventually(over)

    async def _held(self, rights: tuple[Right, ...]) -> set[Right]:
        principals = {right.principal for right in rights}
        held = [right for principal in principals for right in await self.rights_of(principal)]
        return set(rights).intersection(held)


@dataclass
class Systems:
    """Everything real but Airflow itself, of which there are the tables."""

    kafka: RunningKafka
    postgres: RunningPostgres
    s3: RunningS3
    airflow: Database
    root: Path
    roster: MemoryRoster = field(default_factory=MemoryRoster)
    clients: MemoryClients = field(default_factory=MemoryClients)
    kubernetes: RunningKubernetes | None = None
    """Only where a test asks for it: it takes its time to start."""

    @property
    def secrets(self) -> FileSecretStore:
        return FileSecretStore(self.root / "secrets")

    @property
    def kafka_provisioner(self) -> KafkaProvisioner:
        admin = SettledKafkaAdmin(AdminClient({**self.kafka.client_config("tenancy")}))
        password = self.kafka.password_file("tenancy").read_text()
        quotas = KafkaQuotas(KafkaAddress(self.kafka.bootstrap, "tenancy", password))
        return KafkaProvisioner(admin, quotas, self.secrets, self.kafka.bootstrap)

    @property
    def iam_provisioner(self) -> IamProvisioner:
        session = aioboto3.Session(**self.s3.session("tenancy"))
        store = Store(self.s3.bucket, self.s3.url, self.s3.region, s3_users.user_arn("storage"))
        return IamProvisioner(partial(session.client, "iam", endpoint_url=self.s3.url), store, self.secrets)

    @property
    def postgres_provisioner(self) -> PostgresProvisioner:
        url = self.postgres.url("tenancy", "teams")
        return PostgresProvisioner(url, self.postgres.password_file("tenancy"), self.secrets)

    @property
    def airflow_provisioner(self) -> AirflowProvisioner:
        place = Place(
            self.airflow.url, self.airflow.password_file, self.bundles_file, self.root / "bundles",
            self.root / "connections", "http://127.0.0.1:8081", "http://127.0.0.1:8080/v1/token",
        )  # fmt: skip
        return AirflowProvisioner(place, self.roster, self.clients)

    def kubernetes_provisioner(self, memory: MemoryCluster | None = None) -> KubernetesProvisioner:
        """On the real cluster, under tenancy's own rights there; or on its twin."""
        connections = self.root / "connections"
        if memory is not None:
            return KubernetesProvisioner(
                memory, Site(ClusterAddress("https://memory"), connections, volume_source=VOLUME)
            )
        assert self.kubernetes is not None
        kubeconfig = self.kubernetes.tenancy_kubeconfig
        return KubernetesProvisioner(
            ApiCluster(kubeconfig), Site(address_in(kubeconfig), connections, volume_source=VOLUME)
        )

    @property
    def bundles_file(self) -> Path:
        return self.root / "bundles.json"

    async def secret(self, wanted: Wanted, name: str) -> dict[str, str]:
        """What was kept for the team."""
        kept = await self.secrets.get(wanted.team, name)

        assert kept is not None
        return dict(kept)

    async def kafka_of(self, wanted: Wanted) -> dict[str, str]:
        """Configuration of the team's own Kafka client."""
        secret = await self.secret(wanted, "kafka")
        return {
            "bootstrap.servers": secret["bootstrap_servers"], "security.protocol": secret["security_protocol"],
            "sasl.mechanism": secret["sasl_mechanism"], "sasl.username": secret["username"],
            "sasl.password": secret["password"], "log_level": "0",
        }  # fmt: skip

    async def postgres_of(self, wanted: Wanted) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection as the team's programs open it."""
        secret = await self.secret(wanted, "postgres")
        return await asyncpg.connect(
            host=secret["host"], port=int(secret["port"]), database=secret["dbname"], user=secret["user"],
            password=secret["password"],
        )  # fmt: skip

    async def s3_of(self, wanted: Wanted) -> aioboto3.Session:
        """A session with the team's own access key."""
        secret = await self.secret(wanted, "iam")
        return aioboto3.Session(
            aws_access_key_id=secret["aws_access_key_id"], aws_secret_access_key=secret["aws_secret_access_key"],
            region_name=self.s3.region,
        )  # fmt: skip
