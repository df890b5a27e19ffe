"""Removing keys that a job spelt as it liked, from a store that takes lists of keys as XML."""

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError
from storage.adapters.s3_removal import remove

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MINE = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"


class Strict:
    """S3 as AWS runs it: a list of keys with a character that XML does not have is no XML, and nothing is deleted."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)

    async def list_object_versions(self, **_: Any) -> dict[str, Any]:
        return {"Versions": [{"Key": key, "VersionId": "null", "Size": 1} for key in sorted(self.keys)]}

    async def list_multipart_uploads(self, **_: Any) -> dict[str, Any]:
        return {}

    async def delete_objects(self, *, Delete: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        keys = {one["Key"] for one in Delete["Objects"]}
        if any("\x01" in key for key in keys):
            raise ClientError({"Error": {"Code": "MalformedXML", "Message": "not well-formed"}}, "DeleteObjects")
        self.keys -= keys
        return {}

    async def delete_object(self, *, Key: str, **_: Any) -> None:  # noqa: N803
        self.keys.remove(Key)


async def test_a_key_that_no_list_can_spell_is_deleted_by_itself() -> None:
    """Else one name that a job chose would keep its version for ever."""
    store = Strict(MINE + "a\x01b", MINE + "plain")

    removal = await remove(cast("S3Client", store), "bucket", MINE)

    assert (removal.objects, removal.bytes, store.keys) == (2, 2, set())
