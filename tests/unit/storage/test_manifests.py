"""Manifests that a job left: who writes to the store itself can write anything there."""

import json

from storage.adapters.memory import MemoryStore

PATH = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"


async def test_one_that_says_more_than_can_be_counted_is_none() -> None:
    """No table takes such a number, so its try could never be sealed, and all that wait behind it would wait on."""
    store = MemoryStore()
    files = [{"path": name, "size": 2**62} for name in "ab"]
    store.files[PATH + "_manifest.json"] = json.dumps({"files": files}).encode()

    assert await store.manifests.read(PATH) is None
