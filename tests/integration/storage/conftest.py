"""Backends of the storage service, each with a way to put things there behind its back, as jobs do."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import aioboto3
import pytest
from outrider_bus import MIGRATIONS as BUS_MIGRATIONS
from outrider_chassis.database import open_pool
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_contracts.http import StoreAddress
from outrider_contracts.tenants import StorageSpec, TeamSpec, TeamStatus
from outrider_local.handles import Database, RunningS3
from storage.adapters.directory import DirectoryStore
from storage.adapters.memory import MemoryStore, MemoryTeams
from storage.adapters.s3 import config, s3_store
from storage.adapters.teams_store import TeamsStore
from storage.app import MIGRATIONS
from storage.cases.begin import begin
from storage.ports import Store

from tests.integration.storage.platform import MIDNIGHT, Platform

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class Backdoor(Protocol):
    """Puts and lists keys as a job does, past the port."""

    async def put(self, key: str, content: bytes) -> None: ...
    async def keys(self) -> set[str]: ...


@dataclass
class Backend:
    """A store and the way past it. `flat`: keys are mere strings, so odd ones are possible."""

    store: Store
    door: Backdoor
    flat: bool


class MemoryDoor:
    def __init__(self, store: MemoryStore) -> None:
        self._files = store.files

    async def put(self, key: str, content: bytes) -> None:
        self._files[key] = content

    async def keys(self) -> set[str]:
        return set(self._files)


class DirectoryDoor:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, key: str, content: bytes) -> None:
        file = self._root / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    async def keys(self) -> set[str]:
        return {str(file.relative_to(self._root)) for file in self._root.rglob("*") if not file.is_dir()}


class S3Door:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self.client, self.bucket = client, bucket

    async def put(self, key: str, content: bytes) -> None:
        await self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    async def keys(self) -> set[str]:
        found = await self.client.list_objects_v2(Bucket=self.bucket)
        return {entry["Key"] for entry in found.get("Contents", [])}


@pytest.fixture
async def s3_door(s3: RunningS3) -> AsyncIterator[S3Door]:
    """The bucket as root sees it, empty."""
    session = aioboto3.Session(**s3.session("root"))
    async with session.client("s3", endpoint_url=s3.url, config=config()) as client:
        door = S3Door(client, s3.bucket)
        for key in await door.keys():
            await client.delete_object(Bucket=s3.bucket, Key=key)
        yield door


@pytest.fixture
async def s3_backend(s3: RunningS3, s3_door: S3Door) -> AsyncIterator[Backend]:
    """The bucket as the storage service's own user sees it."""
    address = StoreAddress(kind="s3", bucket=s3.bucket, endpoint_url=s3.url, region=s3.region)
    async with s3_store(aioboto3.Session(**s3.session("storage")), address) as store:
        yield Backend(store, s3_door, flat=True)


@pytest.fixture(params=["memory", "directory", "teams", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Every backend in turn."""
    makers: dict[str, Callable[[], Backend]] = {
        "memory": _memory, "directory": lambda: _directory(tmp_path), "teams": lambda: _teams(tmp_path),
    }  # fmt: skip
    if request.param in makers:
        return makers[request.param]()
    backend: Backend = request.getfixturevalue("s3_backend")
    return backend


def _memory() -> Backend:
    store = MemoryStore()
    return Backend(store, MemoryDoor(store), flat=True)


def _directory(root: Path) -> Backend:
    return Backend(DirectoryStore(root), DirectoryDoor(root), flat=False)


def _teams(root: Path) -> Backend:
    """A directory as the team's own store, beside another that has to stay empty."""
    teams = MemoryTeams()
    teams.known["ads"] = TeamStatus(
        team="ads", uid="0" * 32, observed_generation=1, digest="", phase="Ready",
        spec=TeamSpec(storage=StorageSpec(backend="directory")), revision=1, updated_at=MIDNIGHT,
    )  # fmt: skip
    store = TeamsStore({"s3": MemoryStore(), "directory": DirectoryStore(root)}, teams)
    return Backend(store, DirectoryDoor(root), flat=False)


@pytest.fixture
async def platform(database: Database) -> AsyncIterator[Platform]:
    """A storage service over the module's database, its tables empty."""
    async with await open_pool(database.url, database.password_file) as pool:
        await migrate(pool, [("bus", BUS_MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS), ("storage", MIGRATIONS)])
        await pool.execute(
            "TRUNCATE storage.runs, storage.graphs, storage.ends, storage.attempts, storage.versions, storage.holds, "
            "storage.waits, storage.told, storage.tokens, storage.control, bus.outbox"
        )
        made = Platform(pool)
        await begin(made.work)
        yield made
