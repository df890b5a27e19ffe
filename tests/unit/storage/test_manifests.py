"""Manifests that a job left: who writes to the store itself can write anything there."""

import json
from typing import TYPE_CHECKING, Any, Self, cast

from storage.adapters.memory import MemoryStore
from storage.adapters.s3 import S3Manifests

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

PATH = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"


async def test_one_that_says_more_than_can_be_counted_is_none() -> None:
    """No table takes such a number, so its try could never be sealed, and all that wait behind it would wait on."""
    store = MemoryStore()
    files = [{"path": name, "size": 2**62} for name in "ab"]
    store.files[PATH + "_manifest.json"] = json.dumps({"files": files}).encode()

    assert await store.manifests.read(PATH) is None


class Endless:
    """S3 with a manifest that would fill any memory."""

    async def get_object(self, **_: Any) -> dict[str, Any]:
        return {"ContentLength": 1 << 40, "Body": self}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read(self) -> bytes:
        raise MemoryError


async def test_one_that_is_too_large_to_be_held_is_none() -> None:
    """The service would die of it, and again at every seal."""
    assert await S3Manifests(cast("S3Client", Endless()), "lake").read(PATH) is None
