"""How the tabs ask the services: as the DAG's team, with the API server's own client; and what a failure says."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from outrider_airflow.settings import Settings
from outrider_airflow.tabs.services import Away, Services
from outrider_contracts.keys import RunKey

RUN = RunKey(team="ads", dag_id="daily", run_id="r1")


class Told:
    """Token endpoint and services in one; remembers what was asked, answers what is laid ready."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.statuses: list[int] = []
        self.tokens = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.tokens += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                self._say(200, {"access_token": f"t{outer.tokens}", "expires_in": 300})

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                outer.asked.append((url.path, parse_qs(url.query)))
                self._say(outer.statuses.pop(0) if outer.statuses else 200, {"environments": []})

            def _say(self, status: int, body: dict[str, Any]) -> None:
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    thread = threading.Thread(target=told.server.serve_forever)
    thread.start()
    yield told
    told.server.shutdown()
    told.server.server_close()
    thread.join()


@pytest.fixture
def services(told: Told, tmp_path: Path) -> Iterator[Services]:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    made = Services(
        Settings(
            tabs_secret_file=str(secret), token_url=f"{told.url}/v1/token", storage_url=told.url, lineage_url=told.url
        )
    )
    yield made
    made.http.close()


def test_the_services_are_asked_as_the_dags_team_sees_them(told: Told, services: Services) -> None:
    services.environments(RUN, "ads")
    services.environments(RUN, None)

    (_, seen), (_, all_) = told.asked
    assert seen == {"team": ["ads"], "dag_id": ["daily"], "run_id": ["r1"], "seen_by": ["ads"]}
    assert "seen_by" not in all_
    assert told.tokens == 1


def test_what_lineage_never_heard_of_is_no_error(told: Told, services: Services) -> None:
    told.statuses = [404, 404]

    assert services.run(RUN, "ads") is None
    assert services.graph("upstream", "ads/daily/extract", 3, "ads")["root"] is None


def test_a_token_that_is_no_longer_taken_is_renewed_once(told: Told, services: Services) -> None:
    told.statuses = [401]

    services.environments(RUN, "ads")

    assert told.tokens == 2


def test_a_service_that_is_away_is_named(told: Told, services: Services, tmp_path: Path) -> None:
    told.statuses = [503]
    with pytest.raises(Away, match=r"answered 503"):
        services.environments(RUN, "ads")
    gone = Services(Settings(tabs_secret_file=str(tmp_path / "none"), storage_url=told.url))
    with gone.http, pytest.raises(Away, match="tabs_secret_file"):
        gone.environments(RUN, "ads")
