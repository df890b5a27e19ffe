"""A cluster with a node, storage's own routes over S3 and PostgreSQL, and a team: all a pod with data needs."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import aioboto3
import pytest
import uvicorn
from fastapi import Depends, FastAPI
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from outrider_bus import MIGRATIONS as BUS_MIGRATIONS
from outrider_bus.database import PostgresDatabase
from outrider_chassis.database import open_pool
from outrider_chassis.http import make_app
from outrider_chassis.migrations import CHASSIS_MIGRATIONS, migrate
from outrider_chassis.tokens import KeySet
from outrider_contracts.http import StoreAddress
from outrider_contracts.tenants import StorageSpec, TeamSpec, TeamStatus
from outrider_local import airflow_install
from outrider_local.handles import Database, RunningKubernetes, RunningS3
from storage.adapters.directory import DirectoryStore
from storage.adapters.memory import MemoryAirflow, MemoryTeams
from storage.adapters.s3 import config, s3_store
from storage.adapters.sts import NoCredentials, StsIssuer
from storage.adapters.teams_store import TeamsIssuer, TeamsStore
from storage.app import MIGRATIONS, add_routes
from storage.cases.begin import begin
from storage.cases.work import PodAddresses, Terms, Work

from tests.integration.pods.crew import CREW, NAMESPACE, TEAMS, Crew, have_namespace
from tests.integration.storage.test_credentials import ROLE, make_role
from tests.unit.chassis.issuer import URL, Issuer

T = TypeVar("T")


class _Well:
    alive = ready = True
    detail: object = None


@pytest.fixture(scope="module")
def crew(
    kubernetes_node: RunningKubernetes, s3: RunningS3, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crew]:
    """Team crew with a namespace under `restricted`, a role, and storage at its port of the stack."""
    airflow_install.install(kubernetes_node.stack.layout)
    served = _Served(kubernetes_node, s3, database, tmp_path_factory.mktemp("volume"))
    thread = threading.Thread(target=lambda: asyncio.run(served.serve()))
    thread.start()
    try:
        assert served.ready.wait(120), "storage's routes are not served"
        have_namespace(kubernetes_node, NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"})
        yield Crew(kubernetes_node, s3, served.issuer, tmp_path_factory.mktemp("dags"), storage=served)
    finally:
        served.end()
        thread.join()


class _Server(uvicorn.Server):
    def __init__(self, app: FastAPI, port: int, ready: threading.Event) -> None:
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are the test run's own."""
        yield


class _Served:
    """Storage without Kafka: what it would hear nobody says here."""

    def __init__(self, cluster: RunningKubernetes, s3: RunningS3, database: Database, volume: Path) -> None:
        self.cluster, self.s3, self.database, self.volume = cluster, s3, database, volume
        self.issuer = Issuer()
        self.ready = threading.Event()
        self._server: _Server | None = None
        self._at_work: tuple[Work, asyncio.AbstractEventLoop] | None = None

    def do(self, act: Callable[[Work], Awaitable[T]]) -> T:
        """Have *act* done to the service's own work, as time or a fact would."""
        assert self._at_work is not None
        work, loop = self._at_work
        done: Future[T] = asyncio.run_coroutine_threadsafe(_awaited(act(work)), loop)
        return done.result(120)

    def end(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    async def serve(self) -> None:
        port = self.cluster.stack.ports.of("storage")
        app = make_app("storage", KeySet(URL, self.issuer.jwks), _Well)
        _issue_tokens(app, self.issuer)
        async with self._work() as work:
            await begin(work)
            add_routes(app, work)
            self._at_work = work, asyncio.get_running_loop()
            self._server = _Server(app, port, self.ready)
            await self._server.serve()

    @asynccontextmanager
    async def _work(self) -> AsyncIterator[Work]:
        s3, cluster = self.s3, self.cluster
        address = StoreAddress(kind="s3", bucket=s3.bucket, endpoint_url=s3.url, region=s3.region)
        session = aioboto3.Session(**s3.session("storage"))
        teams = MemoryTeams(
            {
                team: TeamStatus(
                    team=team, uid="0" * 32, observed_generation=1, digest="", phase="Ready",
                    spec=TeamSpec(storage=StorageSpec(backend=backend)), revision=1, updated_at=datetime.now(UTC),
                )
                for team, backend in TEAMS.items()
            }
        )  # fmt: skip
        async with (
            make_role(s3, CREW),
            await open_pool(self.database.url, self.database.password_file) as pool,
            s3_store(session, address) as store,
            session.client("sts", endpoint_url=s3.url, config=config()) as sts,
        ):
            await migrate(pool, [("bus", BUS_MIGRATIONS), ("chassis", CHASSIS_MIGRATIONS), ("storage", MIGRATIONS)])
            issuer = StsIssuer(sts, role_arn=ROLE, bucket=s3.bucket, seconds=900)
            yield Work(
                PostgresDatabase(pool, service="storage"),
                TeamsStore({"s3": store, "directory": DirectoryStore(self.volume)}, teams),
                TeamsIssuer({"s3": issuer, "directory": NoCredentials()}, teams), MemoryAirflow(), teams, Terms(),
                lambda: datetime.now(UTC),
                PodAddresses(f"http://{cluster.forwarded('storage')}", f"http://{cluster.forwarded('s3')}"),
            )  # fmt: skip


def _issue_tokens(app: FastAPI, issuer: Issuer) -> None:
    @app.post("/v1/token")
    async def token(client: Annotated[HTTPBasicCredentials, Depends(HTTPBasic())]) -> dict[str, object]:
        team = client.username.removeprefix("team-")
        return {"access_token": issuer.token(sub=client.username, team=team), "expires_in": 60}


async def _awaited(what: Awaitable[T]) -> T:
    return await what
