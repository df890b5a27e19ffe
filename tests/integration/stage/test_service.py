"""What stagers hear of storage when something on the way breaks off."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from outrider_stage import StoreUnavailable
from outrider_stage.service import StorageService


class Broken(BaseHTTPRequestHandler):
    """A proxy that says no and dies over it."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[StorageService]:
    server = HTTPServer(("127.0.0.1", 0), Broken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield StorageService(f"http://127.0.0.1:{server.server_port}", lambda: "token", within=0)
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_error_that_breaks_off_is_an_absence(service: StorageService) -> None:
    """Whoever watches over an upload goes on watching."""
    assert service.revoked() is None
    with pytest.raises(StoreUnavailable, match="answered 503"):
        service.environment()
