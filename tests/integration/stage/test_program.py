"""The program of the stager image, as a pod runs it: told by variables and files, ended by SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from outrider_contracts.environments import InputVersion, OutputPlace, VersionKey
from outrider_contracts.http import Carried, Credentials, Environment, Standing, StoreAddress
from outrider_contracts.keys import TryKey
from outrider_contracts.places import generation_path, place
from outrider_local.handles import RunningS3
from outrider_local.waiting import wait_until

TOKEN = "word-of-this-try"
Assume = Callable[[int], Credentials]


@dataclass
class Try:
    """Storage as the stagers of one try see it, and the pod's directories."""

    root: Path
    store: StoreAddress
    credentials: Credentials
    team: str = field(default_factory=lambda: f"t{uuid4().hex[:8]}")
    inputs: dict[str, tuple[InputVersion, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("daily",)
    revoked: str = ""
    upload_seconds: float = 60
    carried: dict[str, float] = field(default_factory=dict)
    """How long carrying took, by way, as the stagers told it."""

    def path(self, task_id: str, output: str) -> str:
        return generation_path(place(self.task(task_id).task, None), output, 1)

    def task(self, task_id: str) -> TryKey:
        return TryKey(team=self.team, dag_id="d", run_id="r", task_id=task_id, map_index=-1, try_number=1)

    def answer(self, path: str) -> tuple[int, bytes]:
        what = path.rsplit("/", 1)[-1]
        if what == "standing":
            return 200, Standing(revoked=bool(self.revoked), reason=self.revoked).model_dump_json().encode()
        if self.revoked:
            return 409, json.dumps({"error": {"code": "superseded", "message": self.revoked}}).encode()
        if what == "credentials":
            return 200, self.credentials.model_dump_json().encode()
        environment = Environment(
            task=self.task("load"), run_started_at=datetime(2026, 11, 1, tzinfo=UTC), generation=1, place="p",
            mode="files", store=self.store, inputs=self.inputs, credentials=self.credentials,
            outputs={name: OutputPlace(path=self.path("load", name)) for name in self.outputs},
        )  # fmt: skip
        return 200, environment.model_dump_json().encode()


@dataclass
class Pod:
    """Runs the program as a container would."""

    tried: Try
    url: str

    @property
    def message(self) -> str:
        file = self.tried.root / "termination-log"
        return file.read_text() if file.exists() else ""

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        told = {
            "OUTRIDER_STAGE_URL": self.url,
            "OUTRIDER_STAGE_SECRETS": str(self.tried.root / "secrets"),
            "OUTRIDER_STAGE_ROOT": str(self.tried.root / "shared"),
            "OUTRIDER_STAGE_MESSAGE": str(self.tried.root / "termination-log"),
            "OUTRIDER_STAGE_UPLOAD_SECONDS": str(self.tried.upload_seconds),
        }
        command = [sys.executable, "-m", "outrider_stage", *arguments]
        return subprocess.Popen(command, env={"PATH": os.environ["PATH"], **told}, text=True, stdout=subprocess.PIPE)

    def run(self, *arguments: str) -> int:
        process = self.start(*arguments)
        process.communicate(timeout=120)
        return process.returncode


@pytest.fixture
def pod(tmp_path: Path, address: StoreAddress, assume: Assume) -> Iterator[Pod]:
    tried = Try(tmp_path, address, assume(900))
    for name in ("secrets", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets/token").write_text(TOKEN)
    (tmp_path / "secrets/environment.json").write_text('{"team": "ads"}')

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, body = tried.answer(self.path) if known else (401, b"{}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            told = Carried.model_validate_json(self.rfile.read(int(self.headers["Content-Length"])))
            tried.carried[told.way] = told.seconds
            self.path = "/standing"
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Pod(tried, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def keys(s3: RunningS3, pod: Pod) -> Callable[[], dict[str, bytes]]:
    """What lies in the bucket below the team's prefix."""
    client = boto3.Session(**s3.session("root")).client("s3", endpoint_url=s3.url)

    def found() -> dict[str, bytes]:
        listed = client.list_objects_v2(Bucket=s3.bucket, Prefix=f"{pod.tried.team}/").get("Contents", [])
        return {
            entry["Key"].rsplit("/g1/", 1)[1]: client.get_object(Bucket=s3.bucket, Key=entry["Key"])["Body"].read()
            for entry in listed
        }

    return found


def test_inputs_and_the_document_are_there_for_whatever_user(pod: Pod, keys: Callable[[], dict[str, bytes]]) -> None:
    """What one try stored is what the next one finds."""
    (pod.tried.root / "shared/outputs/daily/deep").mkdir(parents=True)
    (pod.tried.root / "shared/outputs/daily/deep/a.txt").write_bytes(b"a,1\n")
    assert pod.run("out", "now") == 0
    assert keys()["deep/a.txt"] == b"a,1\n"
    key = VersionKey(**pod.tried.task("load").task.model_dump(), output="daily", generation=1)
    pod.tried.inputs = {"orders": (InputVersion(version=key, path=pod.tried.path("load", "daily")),)}

    assert pod.run("in") == 0

    shared = pod.tried.root / "shared"
    assert (shared / "inputs/orders/deep/a.txt").read_bytes() == b"a,1\n"
    assert (shared / "environment.json").read_text() == '{"team": "ads"}'
    assert (shared / "inputs/orders/deep/a.txt").stat().st_mode & 0o777 == 0o644
    assert (shared / "outputs/daily").stat().st_mode & 0o777 == 0o777
    assert pod.tried.carried.keys() == {"in", "out"}
    assert all(seconds > 0 for seconds in pod.tried.carried.values())


def test_an_input_that_is_not_there_is_told_in_one_line(pod: Pod) -> None:
    key = VersionKey(**pod.tried.task("load").task.model_dump(), output="daily", generation=1)
    pod.tried.inputs = {"orders": (InputVersion(version=key, path=pod.tried.path("load", "daily")),)}

    assert pod.run("in") == 1
    assert pod.message.startswith("input 'orders':")
    assert "has no manifest" in pod.message


def test_nothing_is_stored_before_the_job_has_ended(pod: Pod, keys: Callable[[], dict[str, bytes]]) -> None:
    """SIGTERM is the word; the manifest comes last."""
    output = pod.tried.root / "shared/outputs/daily"
    output.mkdir(parents=True)
    process = pod.start("out")
    assert wait_until(lambda: _catches_sigterm(process.pid), seconds=60, every=0.05)
    (output / "sum").write_bytes(b"3\n")
    assert keys() == {}

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)

    assert process.returncode == 0
    assert set(keys()) == {"sum", "_manifest.json"}
    assert pod.message == "stored 1 outputs, 2 bytes"


def test_a_link_is_not_followed(pod: Pod, keys: Callable[[], dict[str, bytes]]) -> None:
    """A job can't have the stager read its token and store it."""
    output = pod.tried.root / "shared/outputs/daily"
    output.mkdir(parents=True)
    (output / "stolen").symlink_to(pod.tried.root / "secrets/token")

    assert pod.run("out", "now") == 1
    assert "symbolic link" in pod.message
    assert keys() == {}


def test_a_revoked_try_stores_nothing(pod: Pod, keys: Callable[[], dict[str, bytes]]) -> None:
    (pod.tried.root / "shared/outputs/daily").mkdir(parents=True)
    pod.tried.revoked = "try 1 was superseded by try 2"

    assert pod.run("out", "now") == 1
    assert pod.message == "try 1 was superseded by try 2"
    assert keys() == {}


def test_an_upload_that_takes_too_long_says_so(pod: Pod, keys: Callable[[], dict[str, bytes]]) -> None:
    """It leaves before the kubelet kills it, or there would be no message."""
    output = pod.tried.root / "shared/outputs/daily"
    output.mkdir(parents=True)
    for number in range(3000):
        (output / str(number)).write_bytes(b"x")
    pod.tried.upload_seconds = 0.5

    assert pod.run("out", "now") == 1
    assert "set a longer upload_timeout" in pod.message
    assert "_manifest.json" not in keys()


def test_a_token_that_is_none_is_told(pod: Pod) -> None:
    (pod.tried.root / "secrets/token").write_text("another")

    assert pod.run("in") == 1
    assert TOKEN not in pod.message


def _catches_sigterm(pid: int) -> bool:
    """Whether the process has said what to do on SIGTERM."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    return bool(int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)
