"""What only S3 has: versions of keys, delete markers, unfinished uploads, calls that refuse single keys."""

from collections.abc import AsyncIterator

import pytest
from outrider_local.handles import RunningS3
from storage.adapters import s3_removal
from storage.ports import RemovalRefused

from tests.integration.storage.conftest import Backend, S3Door

MINE = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
OTHER = "ads/daily/extract/20261101T000000.000000Z/orders/g2/"


@pytest.fixture
async def versioned(s3: RunningS3, s3_door: S3Door) -> AsyncIterator[S3Door]:
    """A versioned bucket of its own."""
    bucket = "versioned"
    await s3_door.client.create_bucket(Bucket=bucket)
    await s3_door.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield S3Door(s3_door.client, bucket)
    for prefix in (MINE, OTHER):
        await s3_removal.remove(s3_door.client, bucket, prefix)
    await s3_door.client.delete_bucket(Bucket=bucket)


async def test_old_versions_and_delete_markers_go_too(versioned: S3Door) -> None:
    for content in (b"1", b"22", b"333"):
        await versioned.put(MINE + "a", content)
    await versioned.client.delete_object(Bucket=versioned.bucket, Key=MINE + "a")
    await versioned.put(OTHER + "a", b"x")

    removal = await s3_removal.remove(versioned.client, versioned.bucket, MINE)

    left = await versioned.client.list_object_versions(Bucket=versioned.bucket)
    assert (removal.objects, removal.bytes) == (4, 6)
    assert [version["Key"] for version in left.get("Versions", [])] == [OTHER + "a"]
    assert not left.get("DeleteMarkers")


async def test_unfinished_uploads_are_aborted(s3_backend: Backend, s3_door: S3Door) -> None:
    mine = await s3_door.client.create_multipart_upload(Bucket=s3_door.bucket, Key=MINE + "big")
    await s3_door.client.upload_part(
        Bucket=s3_door.bucket, Key=MINE + "big", UploadId=mine["UploadId"], PartNumber=1, Body=b"x"
    )
    other = await s3_door.client.create_multipart_upload(Bucket=s3_door.bucket, Key=OTHER + "big")

    await s3_backend.store.objects.remove(MINE)

    left = await s3_door.client.list_multipart_uploads(Bucket=s3_door.bucket)
    assert [upload["Key"] for upload in left.get("Uploads", [])] == [OTHER + "big"]
    await s3_door.client.abort_multipart_upload(Bucket=s3_door.bucket, Key=OTHER + "big", UploadId=other["UploadId"])


async def test_keys_the_store_keeps_back_are_told_and_the_others_are_gone(
    s3: RunningS3, s3_backend: Backend, s3_door: S3Door
) -> None:
    """The server answers the whole call with 403 for one such key; each key is then tried by itself."""
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject*",'
        f'"Resource":"arn:aws:s3:::{s3.bucket}/{MINE}kept"}}]}}'
    )
    for key in ("a", "kept", "z"):
        await s3_door.put(MINE + key, b"x")
    await s3_door.client.put_bucket_policy(Bucket=s3.bucket, Policy=policy)
    try:
        with pytest.raises(RemovalRefused, match="1 of 3 keys"):
            await s3_backend.store.objects.remove(MINE)
    finally:
        await s3_door.client.delete_bucket_policy(Bucket=s3.bucket)

    assert await s3_door.keys() == {MINE + "kept"}
    assert (await s3_backend.store.objects.remove(MINE)).objects == 1
