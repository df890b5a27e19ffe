"""Carrying to and from an S3 server that is slow, or breaks off: a small one that does so at will."""

import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from outrider_contracts.environments import Manifest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_stage import StoreUnavailable, open_store
from outrider_stage.ports import Store

VERSION = "ads/d/t/x/o/g1/"
SOME = Credentials(
    access_key_id="a", secret_access_key="b", session_token="c", expires_at=datetime.now(UTC) + timedelta(hours=1)
)  # fmt: skip
MIB = 1 << 20


class Server(BaseHTTPRequestHandler):
    """Takes a part slowly; breaks off in the middle of what is read; has a request at odds with one that goes on."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._take()
        began = b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        self._answer(began if "uploads" in self.path else b"<CompleteMultipartUploadResult/>")

    def do_PUT(self) -> None:
        self._take()
        if "contested" in self.path:
            self._answer(b"<Error><Code>ConditionalRequestConflict</Code></Error>", 409)
            return
        time.sleep(0.3)
        self._answer()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.send_header("ETag", '"1"')
        self.end_headers()

    def do_GET(self) -> None:
        if "contested" in self.path:
            self._answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)
            return
        self.do_HEAD()
        self.wfile.write(b"half")
        self.close_connection = True

    def _take(self) -> None:
        left = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, MIB)))

    def _answer(self, body: bytes = b"", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[Store]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield open_store(StoreAddress(kind="s3", bucket="b", endpoint_url=f"http://127.0.0.1:{server.server_port}"), _some)
    server.shutdown()
    server.server_close()
    thread.join()


def test_many_large_files_need_no_more_memory_than_one(store: Store, tmp_path: Path) -> None:
    """A stager has 1 GiB; where the store is slower than the disk, parts that wait must not fill it."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(96 * MIB)

    def put(name: str) -> None:
        with large.open("rb") as content:
            store.put(VERSION, name, content)

    tracemalloc.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, "abcdefgh"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 400 * MIB


def test_an_answer_that_always_breaks_off_is_said_in_one_line(store: Store) -> None:
    """It is the store that is away, under whatever name the SDK tells so."""
    with pytest.raises(StoreUnavailable, match=f"s3://b/{VERSION}a: .*broken"):
        store.fetch(VERSION, "a", BytesIO())


def test_a_manifest_that_is_just_being_written_is_no_other_content(store: Store) -> None:
    """An earlier request of this very commit may still be on its way: trying again helps."""
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        store.commit("ads/d/t/contested/o/g1/", Manifest())


def _some() -> Credentials:
    return SOME
