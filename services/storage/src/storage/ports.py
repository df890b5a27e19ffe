"""What storage needs from outside, as promises. Every method may be repeated with the same result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from outrider_contracts.environments import Manifest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.tenants import Backend, TeamStatus

from storage.domain.access import Access
from storage.domain.removal import AirflowRun


class UnsafePath(Exception):
    """A path is no generation directory, or something in it leads elsewhere (a symbolic link): it is not touched."""


class RemovalRefused(Exception):
    """The store refused to delete some keys; what could be deleted is gone. Repeating is safe."""


@dataclass(frozen=True)
class Removal:
    """What was deleted: objects (every version of each counts) and bytes."""

    objects: int
    bytes: int


class ObjectStore(Protocol):
    """Where versions lie. `path` is always one generation directory; anything else raises UnsafePath."""

    async def open(self, path: str) -> bool:
        """Have the directory. False if it holds something already, so that no try may write there."""

    async def close(self, path: str) -> None:
        """Undo `open` of a directory nobody was given: takes away what open made, never anything else."""

    async def inventory(self, path: str) -> Manifest:
        """Every file below it, except its manifest. Symbolic links are no files."""

    async def remove(self, path: str) -> Removal:
        """Delete every key inside exactly this directory: all versions, markers and unfinished uploads too."""


class Manifests(Protocol):
    """The manifests that make directories versions."""

    async def read(self, path: str) -> Manifest | None:
        """The directory's manifest, None where there is none."""

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        """Write it unless there is one; the one that stands is returned."""


class Marker(Protocol):
    """A small record kept beside the data, by which a restored or foreign database is noticed."""

    async def read(self) -> tuple[str, int] | None:
        """Identity of the database that used the store last, and how often it had been started."""

    async def write(self, identity: str, starts: int) -> None:
        """Keep them."""


class CredentialIssuer(Protocol):
    """Makes credentials for tries."""

    async def issue(self, access: Access) -> Credentials | None:
        """Short-lived credentials good for *access* and nothing else; None where the store needs none."""


class Airflow(Protocol):
    """Airflow's own word. Raises UnavailableError of the bus where it can't be asked; that is never a no."""

    async def run(self, run: RunKey) -> AirflowRun | None:
        """The run now, None only where Airflow itself says that it has none."""

    async def at_work(self, tried: TryKey) -> bool:
        """Whether this very try is running, deferred or about to run."""

    async def map_indexes(self, run: RunKey, task_id: str) -> Sequence[int]:
        """Map indexes of the parts the mapped task has now; (-1,) before it is expanded, () where it has none."""


class Teams(Protocol):
    """Teams as tenancy states them."""

    async def get(self, team: str) -> TeamStatus | None:
        """The team's newest status, None while it is not known."""


class Store(Protocol):
    """What an adapter of a whole backend offers."""

    @property
    def backends(self) -> frozenset[Backend]:
        """Where data of teams may lie."""

    async def address(self, team: str) -> StoreAddress:
        """Where the team's jobs find its data."""

    @property
    def objects(self) -> ObjectStore: ...

    @property
    def manifests(self) -> Manifests: ...

    @property
    def marker(self) -> Marker: ...
