"""Carrying to and from a real S3 server, with short-lived credentials."""

import time
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO
from uuid import uuid4

import pytest
from outrider_contracts.environments import Manifest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_contracts.places import MANIFEST
from outrider_local.handles import RunningS3
from outrider_stage import StoreUnavailable, open_store
from outrider_stage.credentials import RenewedCredentials
from outrider_stage.ports import Store

from tests.unit.stage.carrying import CarryingSuite

Assume = Callable[[int], Credentials]


class Beneath:
    """A store that puts a prefix of its own before every version, so that tests sharing a bucket never meet."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def manifest(self, version: str) -> Manifest | None:
        return self._store.manifest(self._prefix + version)

    def fetch(self, version: str, path: str, into: BinaryIO) -> None:
        self._store.fetch(self._prefix + version, path, into)

    def put(self, version: str, path: str, content: BinaryIO) -> None:
        self._store.put(self._prefix + version, path, content)

    def commit(self, version: str, manifest: Manifest) -> None:
        self._store.commit(self._prefix + version, manifest)


class TestS3Store(CarryingSuite):
    """The whole suite, on S3."""

    @pytest.fixture
    def store(self, address: StoreAddress, assume: Assume) -> Store:
        return Beneath(open_store(address, lambda: assume(900)), f"{uuid4().hex}/")


def test_credentials_are_renewed_while_files_are_carried(address: StoreAddress, assume: Assume) -> None:
    """A long job outlives many sessions; the store asks for new ones and never fails for it."""
    given: list[Credentials] = []

    def source() -> Credentials:
        given.append(assume(8))
        return given[-1]

    store = open_store(address, RenewedCredentials(None, source))
    version = f"ads/renewal/{uuid4().hex}/x/o/g1/"
    ends = time.monotonic() + 60
    while len(given) < 3 and time.monotonic() < ends:
        store.put(version, "a", BytesIO(b"1"))

    assert len({credentials.access_key_id for credentials in given}) >= 3


def test_refused_credentials_are_said_in_one_line(address: StoreAddress, assume: Assume) -> None:
    """The path and S3's own word, no traceback to read."""
    wrong = assume(900).model_copy(update={"secret_access_key": "wrong"})

    with pytest.raises(StoreUnavailable, match=f"s3://{address.bucket}/ads/.*{MANIFEST}: SignatureDoesNotMatch"):
        open_store(address, lambda: wrong).manifest("ads/d/t/x/o/g1/")


def test_an_absent_server_is_said_in_one_line(s3: RunningS3, assume: Assume) -> None:
    """The SDK's own retries are over by then."""
    nowhere = StoreAddress(kind="s3", bucket=s3.bucket, endpoint_url="http://127.0.0.1:9")

    with pytest.raises(StoreUnavailable, match="Could not connect"):
        open_store(nowhere, lambda: assume(900)).manifest("ads/d/t/x/o/g1/")
