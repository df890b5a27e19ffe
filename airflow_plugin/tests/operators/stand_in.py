"""A stand-in for the storage service and the token endpoint: real HTTP, no decisions of its own."""

import base64
import json
import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from outrider_airflow.connection import StorageAccess
from outrider_contracts.declarations import Mode
from outrider_contracts.environments import OutputPlace
from outrider_contracts.http import Credentials, EnsureRequest, Environment, StoreAddress
from outrider_contracts.places import MANIFEST, generation_path, place

Answer = tuple[int, dict[str, Any]]


class StandIn:
    """Says yes to all that is asked, unless other answers are laid ready; remembers what was asked."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.ready: dict[str, deque[Answer]] = {act: deque() for act in ("ensure", "seal", "sealed", "token")}
        self.inputs: dict[str, Any] = {}
        self.holdings: list[dict[str, Any]] = []
        self.tokens = 0
        self.traces: list[str | None] = []
        self.mode: Mode = "files"
        self.makes_directories = True
        """As storage does on a volume that is the worker's too."""

    @property
    def access(self) -> StorageAccess:
        url = f"http://127.0.0.1:{self._server.server_port}"
        return StorageAccess(url, f"{url}/v1/token", "team-ads", "s3cret")

    def seals(self) -> list[str]:
        """Outcomes in the order they were asked for."""
        return [body["outcome"] for act, body in self.asked if act == "seal"]

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.traces.append(self.headers.get("traceparent"))
                status, answer = outer.answer(self.path, self.headers.get("Authorization", ""), body)
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def do_GET(self) -> None:
                raw = json.dumps({"environments": outer.holdings}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, authorization: str, body: bytes) -> Answer:
        act = path.rsplit("/", 1)[-1]
        if self.ready.get(act):
            self.asked.append((act, {}))
            return self.ready[act].popleft()
        if act == "token":
            assert authorization == "Basic " + base64.b64encode(b"team-ads:s3cret").decode()
            self.tokens += 1
            return 200, {"access_token": f"token-{self.tokens}", "expires_in": 900}
        if authorization != f"Bearer token-{self.tokens}":
            return 401, {"error": {"code": "unauthorized", "message": "who are you?", "fix": ""}}
        asked = json.loads(body)
        self.asked.append((act, asked))
        return 200, getattr(self, f"_{act}")(asked)

    def _ensure(self, asked: dict[str, Any]) -> dict[str, Any]:
        request = EnsureRequest.model_validate(asked)
        where = place(request.task.task, request.logical_date)
        outputs = {name: OutputPlace(path=generation_path(where, name, 1)) for name in request.declaration.outputs}
        for output in outputs.values() if self.makes_directories else ():
            (self.store / output.path).mkdir(parents=True, exist_ok=True)
        environment = Environment(
            task=request.task,
            run_started_at=request.run_started_at,
            generation=1,
            place=where,
            mode=self.mode,
            store=StoreAddress(kind="directory", root=str(self.store)),
            inputs={name: self.inputs[name] for name in request.declaration.inputs if name in self.inputs},
            outputs=outputs,
        )
        return environment.model_dump(mode="json")

    def _seal(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"generation": 1, "outputs": {}}

    def _carried(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"revoked": False}

    def _sealed(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"versions": []}

    def _credentials(self, asked: dict[str, Any]) -> dict[str, Any]:
        given = Credentials(
            access_key_id="id",
            secret_access_key="secret",
            session_token="token",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        return given.model_dump(mode="json")

    def versions(self) -> list[str]:
        """What has a manifest, by place and output."""
        return sorted(str(path.parent.relative_to(self.store)) for path in self.store.rglob(MANIFEST))
