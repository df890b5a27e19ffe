"""Apache Kafka: one broker, SASL/SCRAM and the authorizer on, as everywhere it is used in earnest."""

import hashlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from outrider_local import cache, kafka_install, prerequisites
from outrider_local.errors import StartFailed
from outrider_local.names import KAFKA_ADMIN, KAFKA_PRINCIPALS
from outrider_local.ports import is_free, unused_port
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "kafka"
_USERS_NOTE = "kafka.users"
_ITERATIONS = 4096


def bootstrap(stack: Stack) -> str:
    """Address clients connect to."""
    return f"127.0.0.1:{stack.ports.of('kafka')}"


def client_config(stack: Stack, principal: str) -> dict[str, str]:
    """confluent-kafka configuration of *principal* (one of names.KAFKA_PRINCIPALS, or "admin")."""
    return _client_config(bootstrap(stack), principal, stack.secrets.password(f"kafka-{principal}"))


def admin(stack: Stack) -> AdminClient:
    """An administrator's client of this stack's broker."""
    # its failures are raised; what it would print besides is noise between the lines of a progress view
    return AdminClient({**client_config(stack, KAFKA_ADMIN), "log_level": "0"})


class Kafka:
    """The broker. Its users are those of names.KAFKA_PRINCIPALS; topics are applied by the step `topics`."""

    name = NAME
    after: tuple[str, ...] = ()

    def install(self, stack: Stack) -> None:
        prerequisites.require(prerequisites.JAVA)
        kafka_install.fetch(stack.layout)
        if not kafka_install.archive(stack.layout).exists():
            _make_archive(stack)

    def start(self, stack: Stack) -> None:
        directory = stack.layout.data(NAME)
        passwords = (stack.secrets.password("kafka-admin"), stack.secrets.password("kafka-controller"))
        if not stack.processes.alive(NAME):
            stack.ports.require_free("kafka")
            stack.ports.require_free("kafka-controller")
        _configure(directory, stack.ports.of("kafka"), stack.ports.of("kafka-controller"), *passwords)
        if not (directory / "log" / "meta.properties").exists():
            _format(stack, directory, passwords[0])
        main = (*kafka_install.java_arguments(stack.layout), "kafka.Kafka", str(directory / "server.properties"))
        arguments = kafka_install.argument_file(directory / "start.args", main)
        java = prerequisites.require(prerequisites.JAVA)
        settings = (directory / "server.properties").read_text()
        command = Command(argv=(java, arguments), cwd=directory, configuration=settings, stop_seconds=20)
        stack.processes.start(NAME, command)
        stack.await_ready(NAME, lambda: self.ready(stack), seconds=180)
        self._make_users(stack)

    def ready(self, stack: Stack) -> bool:
        """Metadata is asked for: a stopped or starving broker still accepts connections."""
        return _answers(client_config(stack, KAFKA_ADMIN), stack.ports.of("kafka"))

    def stop(self, stack: Stack) -> None:
        stack.processes.stop(NAME)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {"bootstrap": bootstrap(stack)}

    def _make_users(self, stack: Stack) -> None:
        """Every principal has the password its file says."""
        wanted = {principal: stack.secrets.password(f"kafka-{principal}") for principal in KAFKA_PRINCIPALS}
        digest = hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()
        if stack.state.now.notes.get(_USERS_NOTE) == digest:
            return
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        changes: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, scram, word.encode()) for user, word in wanted.items()
        ]
        client = admin(stack)  # its requests end with it, so it has to outlive them
        try:
            for done in client.alter_user_scram_credentials(changes).values():
                done.result(20)
        except KafkaException as error:
            raise StartFailed(f"kafka refused to make its users: {error}") from error
        stack.state.note(_USERS_NOTE, digest)


def _client_config(address: str, user: str, password: str) -> dict[str, str]:
    return {
        "bootstrap.servers": address,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
    }


def _answers(config: dict[str, str], port: int) -> bool:
    if is_free(port):  # spares a client, and what it would print about it
        return False
    try:
        return bool(AdminClient({**config, "log_level": "0"}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _configure(directory: Path, port: int, controller_port: int, password: str, controller_password: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = Template(cache.packaged("kafka-server.properties")).substitute(
        port=port,
        controller_port=controller_port,
        log_dir=directory / "log",
        admin_password=password,
        controller_password=controller_password,
    )
    properties = directory / "server.properties"
    properties.touch(mode=0o600)
    properties.write_text(text)


def _format(stack: Stack, directory: Path, password: str) -> None:
    """Make the log directory; the administrator is the one user that has to exist from the start."""
    arguments = (
        *kafka_install.java_arguments(stack.layout),
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        "MkU3OEVBNTcwNTJENDM2Qg",
        "--config",
        str(directory / "server.properties"),
        "--add-scram",
        f"SCRAM-SHA-512=[name={KAFKA_ADMIN},password={password}]",
    )
    shutil.rmtree(directory / "log", ignore_errors=True)  # half a format is none
    file = kafka_install.argument_file(directory / "format.args", arguments)
    java = prerequisites.require(prerequisites.JAVA)
    done = subprocess.run([java, file], capture_output=True, text=True, check=False)
    (directory / "format.args").unlink()
    if done.returncode:
        raise StartFailed(f"kafka could not format its log directory:\n{(done.stdout + done.stderr)[-2000:]}")


def _make_archive(stack: Stack) -> None:
    with tempfile.TemporaryDirectory(prefix="kafka-archive-", dir=stack.layout.cache) as scratch:
        directory, password, port = Path(scratch), secrets.token_urlsafe(16), unused_port()
        _configure(directory, port, unused_port(), password, password)
        _format(stack, directory, password)
        config = _client_config(f"127.0.0.1:{port}", KAFKA_ADMIN, password)
        kafka_install.make_archive(
            stack.layout,
            directory,
            ("kafka.Kafka", str(directory / "server.properties")),
            lambda: _answers(config, port),
        )
