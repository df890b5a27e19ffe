"""S3 with IAM and STS (ministack), durable, listening on this machine alone; one bucket, two service users."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import httpx

from outrider_local import cache, python_environments, s3_users
from outrider_local.names import REGION
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "s3"
REQUIREMENT = "ministack==1.5.33"


def url(stack: Stack) -> str:
    """Endpoint of S3, IAM and STS alike."""
    return f"http://127.0.0.1:{stack.ports.of('s3')}"


def credentials_file(stack: Stack) -> Path:
    """AWS credentials file with the profiles root, tenancy and storage."""
    return stack.secrets.path("aws-credentials")


class S3:
    """The object store and who may do what in it."""

    name = NAME
    after: tuple[str, ...] = ()

    def install(self, stack: Stack) -> None:
        cache.make_once(_environment(stack), lambda directory: python_environments.make(directory, REQUIREMENT))

    def start(self, stack: Stack) -> None:
        directory = stack.layout.data(NAME)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "tmp").mkdir(exist_ok=True)
        if not stack.processes.alive(NAME):
            stack.ports.require_free("s3")
        stack.processes.start(NAME, _command(stack, directory))
        stack.await_ready(NAME, lambda: self.ready(stack), seconds=180)  # the first start compiles its bytecode
        s3_users.apply(url(stack), stack.secrets)

    def ready(self, stack: Stack) -> bool:
        try:
            return httpx.get(f"{url(stack)}/_ministack/ready", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self, stack: Stack) -> None:
        stack.processes.stop(NAME)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {"url": url(stack)}


def _environment(stack: Stack) -> Path:
    return stack.layout.cache / REQUIREMENT.replace("==", "-")


def _command(stack: Stack, directory: Path) -> Command:
    stack.secrets.password(s3_users.ROOT_SECRET)
    server = directory / "server.py"
    server.write_text((resources.files("outrider_local") / "files" / "s3_server.py").read_text())
    return Command(
        argv=(str(_environment(stack) / "bin" / "python"), str(server), str(stack.secrets.path(s3_users.ROOT_SECRET))),
        cwd=directory,
        env={
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(stack.ports.of("s3")),
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(directory / "objects"),
            "STATE_DIR": str(directory / "state"),
            "TMPDIR": str(directory / "tmp"),
            "LOG_LEVEL": "WARNING",
            # services nobody asked for: no MQTT, no SFTP, and hands off this machine's containers
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        },
        configuration=server.read_text(),
    )
