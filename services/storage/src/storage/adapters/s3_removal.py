"""Deleting everything below one prefix of an S3 bucket: all versions, delete markers, unfinished uploads."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from storage.ports import Removal, RemovalRefused, UnsafePath

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import ObjectIdentifierTypeDef

MOST = 1000
"""Keys DeleteObjects takes at once. Some servers accept more, AWS does not."""
_ROUNDS = 3
_SIZES = dict[tuple[str, str], int]


async def remove(client: "S3Client", bucket: str, prefix: str) -> Removal:
    """List, delete, and list again until nothing is left. Raises RemovalRefused for keys the store does not let go."""
    objects = size = 0
    for _ in range(_ROUNDS):
        found = await _versions(client, bucket, prefix)
        uploads = await _abort_uploads(client, bucket, prefix)
        if not found and not uploads:
            return Removal(objects, size)
        keys = list(found)
        for start in range(0, len(keys), MOST):
            await _delete(client, bucket, prefix, keys[start : start + MOST])
        objects += len(keys) + uploads
        size += sum(found.values())
    raise RemovalRefused(f"{prefix} still has keys after {_ROUNDS} rounds: somebody writes there")


async def _versions(client: "S3Client", bucket: str, prefix: str) -> _SIZES:
    """Key and version id of all that lies below *prefix*, with sizes (0 for delete markers)."""
    found: _SIZES = {}
    position: dict[str, str] = {}
    while True:
        page = await client.list_object_versions(Bucket=bucket, Prefix=prefix, **position)  # type: ignore[arg-type]
        for version in page.get("Versions", []):
            found[version["Key"], version.get("VersionId") or "null"] = version.get("Size", 0)
        for marker in page.get("DeleteMarkers", []):
            found[marker["Key"], marker.get("VersionId") or "null"] = 0
        if not page.get("IsTruncated"):
            return found
        position = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}


async def _delete(client: "S3Client", bucket: str, prefix: str, keys: Sequence[tuple[str, str]]) -> None:
    if strangers := [key for key, _ in keys if not key.startswith(prefix)]:
        raise UnsafePath(f"the store listed {strangers[:3]} for {prefix}")
    named: list[ObjectIdentifierTypeDef] = [{"Key": key, "VersionId": version} for key, version in keys]
    try:
        answer = await client.delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
    except ClientError as error:  # some servers refuse the whole call for one key, AWS for one that XML can't spell
        if error.response.get("Error", {}).get("Code") not in ("AccessDenied", "403", "MalformedXML"):
            raise
        refused = await _delete_singly(client, bucket, keys)
    else:
        refused = [f"{e.get('Key')}: {e.get('Code')}" for e in answer.get("Errors", []) if e.get("Code") != "NoSuchKey"]
    if refused:
        raise RemovalRefused(f"{len(refused)} of {len(keys)} keys were refused, for example {refused[0]}")


async def _delete_singly(client: "S3Client", bucket: str, keys: Sequence[tuple[str, str]]) -> list[str]:
    places = asyncio.Semaphore(16)

    async def one(key: str, version: str) -> str | None:
        async with places:
            try:
                await client.delete_object(Bucket=bucket, Key=key, VersionId=version)
            except ClientError as error:
                return f"{key}: {error.response.get('Error', {}).get('Code')}"
            return None

    return [said for said in await asyncio.gather(*(one(*key) for key in keys)) if said]


async def _abort_uploads(client: "S3Client", bucket: str, prefix: str) -> int:
    """Abort every unfinished upload below *prefix*: its parts are in no listing, yet they are stored."""
    aborted = 0
    position: dict[str, str] = {}
    while True:
        page = await client.list_multipart_uploads(Bucket=bucket, Prefix=prefix, **position)  # type: ignore[arg-type]
        for upload in page.get("Uploads", []):
            if not upload["Key"].startswith(prefix):
                raise UnsafePath(f"the store listed an upload of {upload['Key']} for {prefix}")
            try:
                await client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
                    raise
            aborted += 1
        if not page.get("IsTruncated"):
            return aborted
        position = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page.get("NextUploadIdMarker", "")}
