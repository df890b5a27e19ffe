"""Versions in an S3 bucket: opening and taking stock of them, their manifests, the marker of the database.

aioboto3, because it takes keys as they are: clients that tidy paths up can be stopped, or led astray, by an object
named `a//b` or `../`.
"""

import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError
from outrider_bus.ports import UnavailableError
from outrider_contracts.environments import Manifest
from outrider_contracts.http import StoreAddress
from outrider_contracts.places import LARGEST_MANIFEST, MANIFEST
from outrider_contracts.tenants import Backend
from pydantic import ValidationError

from storage.adapters.paths import guard
from storage.adapters.s3_removal import remove
from storage.ports import Manifests, Marker, ObjectStore, Removal

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

T = TypeVar("T")
MARKER = "_outrider/storage.json"
"""No team's name begins with an underscore, so the marker is in nobody's prefix."""
_AWAY = {
    "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500", "502", "504",
    "ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
}  # fmt: skip
"""Answers that say nothing of what was asked for; the last are about storage's own keys and clock."""


def config() -> AioConfig:
    """How this service talks to AWS-like servers: bounded waits, few retries, exact keys, no proxy."""
    return AioConfig(
        signature_version="s3v4",
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=50,
        proxies={},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def code(error: ClientError) -> str:
    """The error's code as the server spelt it."""
    return str(error.response.get("Error", {}).get("Code", ""))


async def reach(call: Awaitable[T]) -> T:
    """Await *call*; a store that is away becomes UnavailableError, every other no stays what it is."""
    try:
        return await call
    except ClientError as error:
        if code(error) in _AWAY:
            raise UnavailableError(f"S3 answered {code(error)}") from error
        raise
    except BotoCoreError as error:
        raise UnavailableError(f"S3 is away: {error}") from error


class S3Objects:
    """ObjectStore over one bucket. There are no directories to make: a prefix is there once something has it."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    async def open(self, path: str) -> bool:
        guard(path)
        found = await reach(self._client.list_objects_v2(Bucket=self._bucket, Prefix=path, MaxKeys=1))
        return not found.get("Contents", [])

    async def close(self, path: str) -> None:
        guard(path)

    async def inventory(self, path: str) -> Manifest:
        guard(path)
        files = [file async for file in self._files(path)]
        return Manifest(files=tuple(sorted(files, key=lambda file: file.path)))

    async def remove(self, path: str) -> Removal:
        guard(path)
        return await reach(remove(self._client, self._bucket, path))

    async def _files(self, path: str) -> AsyncIterator[Manifest.File]:
        token: dict[str, str] = {}
        while True:
            page = await reach(self._client.list_objects_v2(Bucket=self._bucket, Prefix=path, **token))  # type: ignore[arg-type]
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(path)
                if name not in ("", MANIFEST) and not (name.endswith("/") and entry["Size"] == 0):
                    yield Manifest.File(path=name, size=entry["Size"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}


class S3Manifests:
    """Manifests over one bucket; a conditional PUT makes the first one stand."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    async def read(self, path: str) -> Manifest | None:
        guard(path)
        raw = await get(self._client, self._bucket, path + MANIFEST, most=LARGEST_MANIFEST)
        if raw is None:
            return None
        try:
            return Manifest.model_validate_json(raw)
        except ValidationError:
            return None  # not one of ours, so it makes nothing a version

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        guard(path)
        body = manifest.model_dump_json().encode()
        try:
            await reach(
                self._client.put_object(
                    Bucket=self._bucket, Key=path + MANIFEST, Body=body, IfNoneMatch="*", ContentType="application/json"
                )
            )
        except ClientError as error:
            if code(error) not in ("PreconditionFailed", "412"):
                raise
            return await self.read(path) or manifest
        return manifest


class S3Marker:
    """The marker as one object beside the teams' prefixes."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    async def read(self) -> tuple[str, int] | None:
        raw = await get(self._client, self._bucket, MARKER)
        if raw is None:
            return None
        kept = json.loads(raw)
        return str(kept["identity"]), int(kept["starts"])

    async def write(self, identity: str, starts: int) -> None:
        body = json.dumps({"identity": identity, "starts": starts}).encode()
        await reach(self._client.put_object(Bucket=self._bucket, Key=MARKER, Body=body))


class S3Store:
    """The whole backend over one client."""

    backends = frozenset[Backend](("s3",))

    def __init__(self, client: "S3Client", address: StoreAddress) -> None:
        self._address = address
        self.objects: ObjectStore = S3Objects(client, address.bucket)
        self.manifests: Manifests = S3Manifests(client, address.bucket)
        self.marker: Marker = S3Marker(client, address.bucket)

    async def address(self, team: str) -> StoreAddress:  # noqa: ARG002 - the same for all
        return self._address


async def get(client: "S3Client", bucket: str, key: str, *, most: int | None = None) -> bytes | None:
    """The object's bytes, None where there is no such object, or one of more than *most* bytes."""
    try:
        found = await reach(client.get_object(Bucket=bucket, Key=key))
    except ClientError as error:
        if code(error) in ("NoSuchKey", "404"):
            return None
        raise
    async with found["Body"] as body:
        if most is not None and found.get("ContentLength", 0) > most:
            return None
        return await reach(body.read())


@asynccontextmanager
async def s3_store(session: aioboto3.Session, address: StoreAddress) -> AsyncIterator[S3Store]:
    """The backend at *address* with the session's credentials."""
    async with session.client(
        "s3", endpoint_url=address.endpoint_url, region_name=address.region, config=config()
    ) as client:
        yield S3Store(client, address)
