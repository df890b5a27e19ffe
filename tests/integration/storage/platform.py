"""A storage service without its shell: real tables, everything else in memory, and a clock that is set by hand."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from outrider_bus.database import PostgresDatabase
from outrider_bus.ports import Heard, Origin
from outrider_chassis.database import Pool
from outrider_contracts.airflow import (
    GraphDeclared,
    RunFinished,
    RunReopened,
    RunStarted,
    TaskFinished,
    TaskStarted,
    TaskState,
)
from outrider_contracts.declarations import Input, Output, TaskDeclaration, parse_declaration
from outrider_contracts.envelope import decode, encode, open_envelope
from outrider_contracts.environments import Manifest
from outrider_contracts.event import Event
from outrider_contracts.http import EnsureRequest, Environment, SealRequest, SealResult
from outrider_contracts.keys import RunKey, TaskKey, TryKey
from outrider_contracts.tenants import Acceptance, Backend, StorageSpec, TeamSpec, TeamStatus
from storage.adapters.memory import MemoryAirflow, MemoryIssuer, MemoryStore, MemoryTeams
from storage.cases import ensure, seal
from storage.cases.clear import doom_due, remove_doomed
from storage.cases.tidy import announce_late, drop_phantoms, drop_unused, plan_forgotten, seal_ended
from storage.cases.work import Terms, Work
from storage.domain.removal import AirflowRun
from storage.handlers import handlers

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
TERMS = Terms(grace=timedelta(minutes=10), undo=timedelta(hours=24), seal_grace=timedelta(seconds=30))
EXTRACT = parse_declaration("extract", outputs={"orders": Output()})
REPORT = parse_declaration("report", inputs={"orders": Input("extract", "orders")}, outputs={"page": Output()})


def run(run_id: str = "r1", team: str = "ads", dag_id: str = "daily") -> RunKey:
    return RunKey(team=team, dag_id=dag_id, run_id=run_id)


def task(task_id: str, run_id: str = "r1", *, map_index: int = -1, team: str = "ads", dag_id: str = "daily") -> TaskKey:
    return TaskKey(team=team, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)


@dataclass
class Platform:
    """What a test drives: facts in, requests in, time on."""

    pool: Pool
    store: MemoryStore = field(default_factory=MemoryStore)
    issuer: MemoryIssuer = field(default_factory=MemoryIssuer)
    airflow: MemoryAirflow = field(default_factory=MemoryAirflow)
    teams: MemoryTeams = field(default_factory=MemoryTeams)
    terms: Terms = TERMS
    now: datetime = MIDNIGHT + timedelta(minutes=30)

    def __post_init__(self) -> None:
        self.work = Work(
            PostgresDatabase(self.pool, service="storage"), self.store, self.issuer, self.airflow, self.teams,
            self.terms, lambda: self.now,
        )  # fmt: skip
        self.onboard("ads")

    def onboard(
        self, team: str, *, readable: tuple[Acceptance, ...] = (), backend: Backend = "s3", **retentions: str
    ) -> None:
        """Make the team known, Ready, with these grants and retentions."""
        storage = StorageSpec(backend=backend, retention=StorageSpec.Retentions(**retentions))
        self.teams.known[team] = TeamStatus(
            team=team, uid="0" * 32, observed_generation=1, digest="", phase="Ready", spec=TeamSpec(storage=storage),
            readable=readable, revision=1, updated_at=self.now,
        )  # fmt: skip

    def later(self, **length: float) -> None:
        self.now += timedelta(**length)

    async def hear(self, *events: Event) -> None:
        """Deliver facts as the bus does, from their bytes."""
        for event in events:
            record = encode(event, source="/airflow")
            envelope = open_envelope(record.headers)
            decoded = decode(envelope, record.value)
            assert decoded is not None
            heard = Heard(decoded, envelope, Origin(record.topic, 0, 0, self.now))
            await handlers(self.work)[type(event)](heard, self.work.database.begin)

    async def ensure(self, wanted: TryKey, declared: TaskDeclaration, started: datetime = MIDNIGHT,
                     logical_date: datetime | None = MIDNIGHT) -> Environment:  # fmt: skip
        """Ask as a try does."""
        return await ensure.ensure(
            self.work,
            EnsureRequest(task=wanted, run_started_at=started, run_after=logical_date or started,
                          logical_date=logical_date, declaration=declared),
        )  # fmt: skip

    async def write(self, environment: Environment, content: bytes = b"12345") -> None:
        """Write one file and the manifest into each output, as the stager does."""
        for output in environment.outputs.values():
            self.store.files[output.path + "part"] = content
            await self.store.manifests.write(
                output.path, Manifest(files=(Manifest.File(path="part", size=len(content)),))
            )

    async def seal(self, wanted: TryKey, *, success: bool = True, started: datetime = MIDNIGHT) -> SealResult:
        """Seal as an operator does."""
        outcome = "success" if success else "failed"
        request = SealRequest.model_validate({"task": wanted, "run_started_at": started, "outcome": outcome})
        return await seal.seal(self.work, request, self.work.database.begin)

    async def produce(self, wanted: TryKey, declared: TaskDeclaration, started: datetime = MIDNIGHT,
                      logical_date: datetime | None = MIDNIGHT) -> Environment:  # fmt: skip
        """A whole try: ask, write, seal."""
        environment = await self.ensure(wanted, declared, started, logical_date)
        await self.write(environment)
        await self.seal(wanted, started=started)
        return environment

    def airflow_says(self, about: RunKey, state: str = "success", started: datetime = MIDNIGHT, live: int = 0) -> None:
        """What Airflow answers when it is asked about the run."""
        self.airflow.runs[about] = AirflowRun(state, state in ("success", "failed"), started, live)

    async def tidy(self) -> None:
        for one in (announce_late, seal_ended, drop_unused, drop_phantoms, plan_forgotten):
            await one(self.work)

    async def clear(self) -> tuple[int, int]:
        """One clearing pass: how many were doomed, how many removed."""
        return await doom_due(self.work), await remove_doomed(self.work)

    async def said(self, kind: type[Event]) -> list[dict[str, Any]]:
        """Facts of one type, oldest first; no relay runs, so the outbox holds all that was ever said."""
        rows = await self.pool.fetch(
            "SELECT convert_from(value, 'UTF8') AS value FROM bus.outbox "
            "WHERE topic = $1 AND strpos(headers::text, $2) > 0 ORDER BY seq",
            kind.topic, f'"{kind.type}"',
        )  # fmt: skip
        return [json.loads(row["value"]) for row in rows]

    async def until_somebody_waits(self) -> None:
        """Until one session of this database waits for a lock of another."""
        deadline = asyncio.get_running_loop().time() + 10
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not await self.pool.fetchval(waiting):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)

    async def state(self, path: str) -> str:
        """A version's state."""
        found: str = await self.pool.fetchval("SELECT state FROM storage.versions WHERE path = $1", path)
        return found


def run_started(
    about: RunKey, started: datetime = MIDNIGHT, *, clear_number: int = 0, logical_date: datetime | None = MIDNIGHT
) -> RunStarted:
    kind = RunReopened if clear_number else RunStarted
    return kind(
        run=about, run_started_at=started, clear_number=clear_number, run_after=logical_date or started,
        logical_date=logical_date, dag_version="v1",
    )  # fmt: skip


def run_finished(about: RunKey, at: datetime, started: datetime = MIDNIGHT) -> RunFinished:
    return RunFinished(run=about, run_started_at=started, state="success", finished_at=at)


def graph(about: RunKey, *tasks: TaskDeclaration) -> GraphDeclared:
    return GraphDeclared(run=about, dag_version="v1", tasks=tasks)


def task_started(tried: TryKey, declared: TaskDeclaration, started: datetime = MIDNIGHT) -> TaskStarted:
    return TaskStarted(
        task=tried, run_started_at=started, started_at=started + timedelta(seconds=tried.try_number),
        logical_date=MIDNIGHT, run_after=MIDNIGHT, declaration=declared,
    )  # fmt: skip


def task_finished(tried: TryKey, state: TaskState, at: datetime, started: datetime = MIDNIGHT) -> TaskFinished:
    return TaskFinished(task=tried, run_started_at=started, state=state, finished_at=at)
