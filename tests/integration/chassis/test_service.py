"""How a service lives: it opens, says when it is ready, and drains on SIGTERM."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from outrider_local.handles import Database, RunningKafka
from outrider_local.waiting import wait_until

PROGRAM = """
import asyncio, sys
from pathlib import Path
from outrider_chassis import Resources, ServiceSettings, run
from pydantic_settings import SettingsConfigDict

class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

async def wire(resources: Resources[Settings]) -> None:
    async def close() -> None:
        print("closed its own", flush=True)
    failures = iter([True, True, False])
    async def beside() -> None:
        if next(failures):
            raise RuntimeError("stumbled")
        print("runs beside", flush=True)
        await asyncio.Event().wait()
    resources.stack.push_async_callback(close)
    resources.background.append(beside)
    resources.metrics.gauge("outrider_example_beside", "A number of its own.", lambda: 7)

run(Settings(), name="example", migrations=Path(sys.argv[1]), wire=wire)
"""


@pytest.fixture
def environment(shared_topics: RunningKafka, database: Database) -> dict[str, str]:
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": shared_topics.bootstrap, "KAFKA_USERNAME": "admin",
        "KAFKA_PASSWORD_FILE": str(shared_topics.password_file()), "DATABASE_URL": database.url,
        "DATABASE_PASSWORD_FILE": str(database.password_file),
        "HTTP_PORT": str(shared_topics.stack.ports.of("example")), "ISSUER_URL": "http://127.0.0.1:9",
    }  # fmt: skip
    return {**os.environ, **{f"EXAMPLE_{name}": value for name, value in told.items()}}


def test_a_service_opens_says_when_it_is_ready_and_drains(environment: dict[str, str], tmp_path: Path) -> None:
    """Background work that stumbles is started again; what the service opened is closed after its work has ended."""
    address = f"http://127.0.0.1:{environment['EXAMPLE_HTTP_PORT']}/health/ready"
    out = tmp_path / "out"
    with out.open("w") as stdout, (tmp_path / "err").open("w") as stderr:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr)
    try:
        assert wait_until(lambda: answers(address), seconds=60, every=0.1), (tmp_path / "err").read_text()
        assert wait_until(lambda: "runs beside" in out.read_text(), seconds=20, every=0.1)
        assert wait_until(lambda: "outrider_bus_database_answers 1.0" in metrics(address).text, seconds=30, every=0.5)
        shown = metrics(address)
        assert "outrider_example_beside 7.0" in shown.text
        assert 'outrider_http_requests_total{method="GET",route="/health/ready",status="200"}' in shown.text
        assert shown.headers["content-type"].startswith("text/plain")

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert out.read_text().splitlines() == ["runs beside", "closed its own"]
    assert (tmp_path / "err").read_text().count("stumbled") >= 2


def metrics(address: str) -> httpx.Response:
    return httpx.get(address.replace("/health/ready", "/metrics"), timeout=20, trust_env=False)


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
