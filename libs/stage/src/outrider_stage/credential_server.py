"""A loopback endpoint that gives renewed credentials to a job that talks to S3 itself.

AWS SDKs in every language ask `AWS_CONTAINER_CREDENTIALS_FULL_URI` with the token in
`AWS_CONTAINER_AUTHORIZATION_TOKEN` and ask again before the credentials expire.
"""

import hmac
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from outrider_stage.credentials import CredentialSource, sdk_form


@contextmanager
def serve_credentials(source: CredentialSource, *, port: int = 0, token: str = "") -> Iterator[dict[str, str]]:
    """Serve *source* on 127.0.0.1 while the context lasts. Gives the env variables a job needs to find it.

    Where the job was told before, *port* and *token* are those it knows; else they are chosen here.
    """
    token = token or secrets.token_urlsafe(32)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), token.encode()):
                self._answer(403, {"message": "not this job's token"})
                return
            try:
                given = sdk_form(source())
            except Exception as error:  # noqa: BLE001 -- whatever the source raises, the SDK must get an answer
                self._answer(503, {"message": f"credentials cannot be renewed: {error}"})
                return
            self._answer(200, given)

        def _answer(self, status: int, body: dict[str, str]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: it would end in the task's log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials_uri(server.server_port),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def credentials_uri(port: int) -> str:
    """Where the credentials are served."""
    return f"http://127.0.0.1:{port}/credentials"
