"""Which answers of S3 mean "later" and which mean "no"."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from outrider_bus.ports import UnavailableError
from storage.adapters.s3 import reach


async def answer(code: str) -> Any:
    raise ClientError({"Error": {"Code": code}}, "GetObject")


@pytest.mark.parametrize("code", ["SlowDown", "503", "ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
async def test_a_store_that_is_away_or_takes_storage_for_nobody_is_waited_for(code: str) -> None:
    """Keys that are being replaced are no fault of the facts that are worked off meanwhile: none is given up."""
    with pytest.raises(UnavailableError, match=code):
        await reach(answer(code))


async def test_another_no_is_an_answer() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        await reach(answer("AccessDenied"))
