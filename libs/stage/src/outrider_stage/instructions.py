"""What a stager in a pod is told: the environment variables of its container. The token is a file, never a variable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

URL = "OUTRIDER_STAGE_URL"
SECRETS = "OUTRIDER_STAGE_SECRETS"
ROOT = "OUTRIDER_STAGE_ROOT"
MESSAGE = "OUTRIDER_STAGE_MESSAGE"
UPLOAD_SECONDS = "OUTRIDER_STAGE_UPLOAD_SECONDS"
CREDENTIALS_PORT = "OUTRIDER_STAGE_CREDENTIALS_PORT"

TOKEN_FILE = "token"  # noqa: S105 - names, not secrets
CREDENTIALS_TOKEN_FILE = "credentials-token"  # noqa: S105
DOCUMENT_FILE = "environment.json"
READY_FILE = ".credentials-served"


@dataclass(frozen=True)
class Instructions:
    """Where storage is, where the pod's shared directory is, and how long an upload may take."""

    url: str
    secrets: Path
    """A directory with the token and what else only stagers may read."""
    root: Path
    message: Path
    """The container's termination message."""
    upload_seconds: float
    credentials_port: int = 0
    """Serve credentials to the job on this port of 127.0.0.1; 0: the job gets none."""

    @property
    def token(self) -> str:
        """Read anew each time: the file may be replaced."""
        return (self.secrets / TOKEN_FILE).read_text().strip()

    @property
    def document(self) -> bytes:
        """`environment.json` as the job is to find it."""
        return (self.secrets / DOCUMENT_FILE).read_bytes()


def instructions_of(environ: Mapping[str, str]) -> Instructions:
    """Read them. Raises KeyError, ValueError."""
    return Instructions(
        url=environ[URL].rstrip("/"),
        secrets=Path(environ[SECRETS]),
        root=Path(environ[ROOT]),
        message=Path(environ[MESSAGE]),
        upload_seconds=float(environ[UPLOAD_SECONDS]),
        credentials_port=int(environ.get(CREDENTIALS_PORT, "0")),
    )
