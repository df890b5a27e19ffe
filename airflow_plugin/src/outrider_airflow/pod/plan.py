"""What a try adds to its pod, decided before any pod is looked at. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from outrider_contracts.declarations import Mode
from outrider_contracts.names import POD_VOLUMES

ROOT = PurePosixPath("/outrider")
"""Where a job finds its files: an emptyDir, in every container of the pod."""
SECRETS = PurePosixPath("/var/run/outrider/stager")
"""What only the stagers see: the token of the try."""
CONNECTIONS = PurePosixPath("/var/run/outrider/connections")
"""What only the job sees: its sources and destinations."""

TRY = "outrider/try"
RUN_STARTED_AT = "outrider/run-started-at"
"""Annotations: which try a pod is of. A later try of the task may go on with it."""
TASK = "outrider/task"
"""Annotation: whose pod it is, where whoever finds it left behind is to delete it."""

CREDENTIALS_PORT = 41751


@dataclass(frozen=True)
class PodPlan:
    """Everything that is put into the pod of one try."""

    mode: Mode
    try_number: int
    run_started_at: str
    variables: Mapping[str, str]
    """For the job's container: `OUTRIDER_…`, and what else is no secret."""
    stores: bool
    """Whether anything is to be stored when the job has ended."""
    storage_url: str
    stager_image: str
    stager_pull_policy: str
    upload_seconds: int
    unix_id: int
    """Who the containers run as where the author says nothing."""
    stager_resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Requests and limits of the stagers."""
    volume_of: str = ""
    """The team whose directory of the shared volume the pod mounts; empty: none."""
    workspace: str | None = None
    connections: tuple[str, ...] = field(default=())
    """Files of the Secret that the job finds in `CONNECTIONS`: `sources/raw.json`."""

    @property
    def volume(self) -> PurePosixPath:
        """Where the pod finds the team's directory of the shared volume."""
        return PurePosixPath(POD_VOLUMES) / self.volume_of

    @property
    def serves_credentials(self) -> bool:
        """Whether the job talks to the store itself."""
        return self.mode == "uris"

    @property
    def has_sidecar(self) -> bool:
        """Whether there is something to do while the job runs or after it."""
        return self.serves_credentials or self.stores


def secret_name(metadata: Mapping[str, Any]) -> str:
    """The Secret that belongs to the pod with this metadata and goes with it, if a little later: pods of other tries
    may have had the same name."""
    annotations = metadata["annotations"]
    tried = f"{annotations[RUN_STARTED_AT]} {annotations[TRY]}"
    return f"{metadata['name']}-{hashlib.sha256(tried.encode()).hexdigest()[:8]}"


def secret_key(path: str) -> str:
    """A file's key in the Secret, which may hold no slash."""
    return path.replace("/", ".")
