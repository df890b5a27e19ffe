"""What a test or the demo is given of a running component: addresses and ways in, nothing of how it is started."""

import asyncio
import configparser
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from outrider_local import kafka, postgres, postgres_roles, s3, topics
from outrider_local.kubernetes import control_plane, images, node, rights
from outrider_local.kubernetes.identities import SERVICE_NAME
from outrider_local.names import BUCKET, KAFKA_ADMIN, POSTGRES_ADMIN, REGION
from outrider_local.stack import Stack


@dataclass(frozen=True)
class RunningKafka:
    """A broker with SASL/SCRAM and the authorizer on."""

    stack: Stack

    @property
    def bootstrap(self) -> str:
        return kafka.bootstrap(self.stack)

    def password_file(self, principal: str = KAFKA_ADMIN) -> Path:
        self.stack.secrets.password(f"kafka-{principal}")
        return self.stack.secrets.path(f"kafka-{principal}")

    def client_config(self, principal: str = KAFKA_ADMIN) -> dict[str, str]:
        """Configuration of a confluent-kafka client; "admin" may do everything."""
        return kafka.client_config(self.stack, principal)

    def apply_topics(self) -> None:
        """Have the shared topics and the rights of the platform's principals."""
        topics.apply(kafka.admin(self.stack))


@dataclass(frozen=True)
class Database:
    """An empty database and the role that owns it."""

    url: str
    """postgresql://role@host:port/name, without the password"""
    password_file: Path

    @property
    def dsn(self) -> str:
        """The URL with the password in it, for a driver; not for a log."""
        return self.url.replace("@", f":{self.password_file.read_text()}@", 1)


@dataclass(frozen=True)
class RunningPostgres:
    """A PostgreSQL server that takes logins over TCP."""

    stack: Stack

    def database(self, hint: str = "test") -> Database:
        """A fresh database owned by the superuser; *hint* is part of its name."""
        name = f"{re.sub('[^a-z0-9]+', '_', hint.lower())[:40]}_{uuid.uuid4().hex[:8]}"
        asyncio.run(postgres_roles.run_statement(self.port, self.stack.secrets, f'CREATE DATABASE "{name}"'))
        return Database(postgres.url(self.stack, POSTGRES_ADMIN, name), self.password_file(POSTGRES_ADMIN))

    @property
    def port(self) -> int:
        return self.stack.ports.of("postgres")

    def password_file(self, role: str) -> Path:
        return postgres.password_file(self.stack, role)

    def url(self, role: str, database: str | None = None) -> str:
        return postgres.url(self.stack, role, database)


class Session(TypedDict):
    """Arguments of boto3.Session and aioboto3.Session."""

    aws_access_key_id: str
    aws_secret_access_key: str
    region_name: str


@dataclass(frozen=True)
class RunningS3:
    """S3, IAM and STS at one address, with the bucket `outrider`."""

    stack: Stack
    bucket: str = BUCKET
    region: str = REGION

    @property
    def url(self) -> str:
        return s3.url(self.stack)

    @property
    def credentials_file(self) -> Path:
        return s3.credentials_file(self.stack)

    def session(self, profile: str = "root") -> Session:
        """Credentials of root, tenancy or storage."""
        profiles = configparser.ConfigParser(interpolation=None)
        profiles.read(self.credentials_file)
        return Session(
            aws_access_key_id=profiles[profile]["aws_access_key_id"],
            aws_secret_access_key=profiles[profile]["aws_secret_access_key"],
            region_name=self.region,
        )


class HostAlias(TypedDict):
    """An entry of a pod's spec.hostAliases."""

    ip: str
    hostnames: list[str]


@dataclass(frozen=True)
class RunningKubernetes:
    """The stack's own cluster; what concerns pods raises StackError where it has no node."""

    stack: Stack

    @property
    def server(self) -> str:
        return control_plane.server(self.stack)

    @property
    def ca_file(self) -> Path:
        return control_plane.identities(self.stack).ca_file

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator, who may do everything."""
        return control_plane.identities(self.stack).admin_kubeconfig

    def kubeconfig_of(self, user: str, *groups: str) -> Path:
        """Of *user*, a member of *groups*, who may do what roles of the cluster give them."""
        return control_plane.identities(self.stack).kubeconfig(user, groups)

    @property
    def tenancy_kubeconfig(self) -> Path:
        """Of tenancy, with the rights that deploy/kubernetes/tenancy.yaml gives it."""
        path = rights.kubeconfig(self.stack)
        assert path is not None, "the cluster is not up"
        return path

    @property
    def job_image(self) -> str:
        """Debian with sh, Python, Perl and awk; pods take it with imagePullPolicy Never."""
        return images.job(self.stack.layout).name

    @property
    def stager_image(self) -> str:
        """The job image with outrider_stage, importable by its python3."""
        return images.stage(self.stack.layout).name

    @property
    def gateway(self) -> str:
        """Address of this machine as pods see it."""
        return node.gateway(self.stack)

    def forwarded(self, port: str) -> str:
        """HOST:PORT at which pods reach that port of the stack: kubernetes, s3 or storage."""
        return node.forwarded(self.stack, port)

    @property
    def pod_api_server(self) -> str:
        """URL of the API server for pods that have `pod_api_host_alias`; its certificate is valid for it."""
        return f"https://{SERVICE_NAME}:{self.stack.ports.of(control_plane.NAME)}"

    @property
    def pod_api_host_alias(self) -> HostAlias:
        """Gives the API server the name it has in any cluster."""
        return HostAlias(ip=self.gateway, hostnames=[SERVICE_NAME])
