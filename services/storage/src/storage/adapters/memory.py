"""The ports in memory, for tests: same promises, kept by the same contract suite."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from outrider_contracts.environments import Manifest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.places import MANIFEST
from outrider_contracts.tenants import Backend, TeamStatus
from pydantic import ValidationError

from storage.adapters.paths import guard
from storage.domain.access import Access, session_policy
from storage.domain.removal import AirflowRun
from storage.ports import Manifests, Marker, ObjectStore, Removal


class MemoryObjects:
    """ObjectStore over a dict of keys."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    async def open(self, path: str) -> bool:
        guard(path)
        return not any(key.startswith(path) for key in self._files)

    async def close(self, path: str) -> None:
        guard(path)

    async def inventory(self, path: str) -> Manifest:
        guard(path)
        names = sorted((key.removeprefix(path), key) for key in self._files if key.startswith(path))
        return Manifest(
            files=tuple(
                Manifest.File(path=name, size=len(self._files[key]))
                for name, key in names
                if name not in ("", MANIFEST) and not (name.endswith("/") and not self._files[key])
            )
        )

    async def remove(self, path: str) -> Removal:
        guard(path)
        gone = [self._files.pop(key) for key in [key for key in self._files if key.startswith(path)]]
        return Removal(len(gone), sum(map(len, gone)))


class MemoryManifests:
    """Manifests over the same dict."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    async def read(self, path: str) -> Manifest | None:
        guard(path)
        try:
            return Manifest.model_validate_json(self._files.get(path + MANIFEST, b""))
        except ValidationError:
            return None

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        guard(path)
        stands = self._files.setdefault(path + MANIFEST, manifest.model_dump_json().encode())
        return Manifest.model_validate_json(stands)


class MemoryMarker:
    """The marker in an attribute."""

    def __init__(self) -> None:
        self.kept: tuple[str, int] | None = None

    async def read(self) -> tuple[str, int] | None:
        return self.kept

    async def write(self, identity: str, starts: int) -> None:
        self.kept = (identity, starts)


class MemoryStore:
    """The whole backend in one dict; wherever a team's data is to lie, it lies there."""

    backends = frozenset[Backend](("s3", "directory"))

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.objects: ObjectStore = MemoryObjects(self.files)
        self.manifests: Manifests = MemoryManifests(self.files)
        self.marker: Marker = MemoryMarker()

    async def address(self, team: str) -> StoreAddress:  # noqa: ARG002 - the same for all
        return StoreAddress(kind="s3", bucket="memory")


class MemoryIssuer:
    """CredentialIssuer that names what it was asked for."""

    def __init__(self) -> None:
        self.issued: list[Access] = []

    async def issue(self, access: Access) -> Credentials | None:
        session_policy(access, "memory")
        self.issued.append(access)
        until = datetime.now(UTC) + timedelta(hours=1)
        return Credentials(access_key_id=access.session, secret_access_key="-", session_token="-", expires_at=until)  # noqa: S106


@dataclass
class MemoryAirflow:
    """Airflow as a dict of runs, with the map indexes of their tasks."""

    runs: dict[RunKey, AirflowRun] = field(default_factory=dict)
    parts: dict[tuple[RunKey, str], Sequence[int]] = field(default_factory=dict)
    asked: list[RunKey] = field(default_factory=list)
    working: set[TryKey] = field(default_factory=set)

    async def at_work(self, tried: TryKey) -> bool:
        return tried in self.working

    async def run(self, run: RunKey) -> AirflowRun | None:
        self.asked.append(run)
        return self.runs.get(run)

    async def map_indexes(self, run: RunKey, task_id: str) -> Sequence[int]:
        return self.parts.get((run, task_id), (-1,))


@dataclass
class MemoryTeams:
    """Teams as a dict."""

    known: dict[str, TeamStatus] = field(default_factory=dict)

    async def get(self, team: str) -> TeamStatus | None:
        return self.known.get(team)
