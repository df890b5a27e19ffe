"""The real services on a stack of their own, without Airflow: its words are said by its principal, as it would."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import OffsetSpec
from outrider_cli.demo.records import Said, said
from outrider_contracts import topics
from outrider_contracts.environments import EnvironmentReady
from outrider_local import kafka, prerequisites
from outrider_local.components import all_components
from outrider_local.handles import RunningPostgres
from outrider_local.names import SERVICES
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

from tests.faults.storm_load import TEAMS
from tests.integration.bus.real_world import eventually

PARTS = with_needs(SERVICES, all_components())
SETTINGS = {
    "TENANCY_PROVISIONERS": "kafka,iam,storage,postgres",
    "LINEAGE_SETTLE_SECONDS": "600",  # a seal that the storm delays is waited for
}
_TIMES_TO_START = 3
_DATABASES = {"storage": "storage", "lineage": "lineage", "sweep": "sweep"}
_SAID = (
    "outrider.environments.v1",
    "outrider.lineage.v1",
    "outrider.lineage.edges.v1",
    *map(topics.team_events, TEAMS),
)
_TIMES = ("announced_at", "credentials_at", "credentials_until", "ensured_at", "ready_at", "resolved_at", "sealed_at")
_ANOTHER_EACH_TIME: Mapping[str, tuple[str, ...]] = {
    # times by the service's own clock; the epoch counts how often a try's event and its own request met
    "storage.attempts": (*_TIMES, "epoch"),
    "storage.holds": ("since", "expires_at", "released_at"),
    "storage.runs": ("heard_at",),
    # which database this is, how often storage was started on it, and when
    "storage.control": ("identity", "starts", "changed_at"),
    # storage's clock, as it said it
    "lineage.tries": ("sealed_at",),
    "lineage.versions": ("sealed_at",),
    "lineage.edges": ("first_at", "last_at"),
    "lineage.nodes": ("first_at", "last_at"),
    # the sweep's clock, and the order in which it heard of different runs
    "sweep.ends": ("seen_at", "seq"),
    "sweep.runs": ("checked_at",),
    "said": ("ready_at", "sealed_at", "first_at"),
}
"""What differs between two rides in which nothing is disturbed, seen by comparing such; all else must be the same."""
_OF_THE_MOMENT = ("storage.told", "storage.waits")
"""Who had to wait how long for what: nobody where nothing is away."""


@dataclass
class Snapshot:
    """Tables and what was said, without what is another in every run."""

    tables: dict[str, list[str]] = field(default_factory=dict)
    said: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)

    def __sub__(self, other: "Snapshot") -> dict[str, list[str]]:
        """What is here and not there."""
        left = {name: sorted(set(rows) - set(other.tables.get(name, []))) for name, rows in self.tables.items()}
        left |= {name: sorted(map(str, rows - other.said.get(name, set()))) for name, rows in self.said.items()}
        return {name: rows[:5] for name, rows in left.items() if rows}


class StormWorld:
    """One stack with its services and two teams."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["StormWorld"]:
        """Start it and onboard the teams; nothing of it is left afterwards."""
        stack = await asyncio.to_thread(_new_stack)
        try:
            world = cls(stack)
            await world.stand_up()
            await asyncio.to_thread(_onboard, stack)
            yield world
        finally:
            if not os.environ.get("OUTRIDER_KEEP"):
                await asyncio.to_thread(remove, stack, PARTS)

    async def stand_up(self) -> None:
        """Have everything run that does not; what is not ready in time on a busy machine is waited for again."""
        failed: Mapping[str, str] = {}
        for _ in range(_TIMES_TO_START):
            failed = (await asyncio.to_thread(bring_up, self.stack, PARTS)).failed
            if not failed:
                return
        raise AssertionError(failed)

    async def settle(self, tries: int, *, seconds: float = 480) -> Snapshot:
        """Wait until every ended try is told of by lineage and nothing is behind, parked or waiting; what there is."""
        state: Mapping[str, object] = {}

        async def rests() -> bool:
            nonlocal state
            state = await self._state(tries)
            return not any(state.values())

        before: Snapshot | None = None
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await eventually(rests, seconds=seconds)
                except TimeoutError:
                    raise AssertionError(f"not settled after {seconds} s: {state}") from None
                now = await self._snapshot()
                if now == before:
                    return now
                before = now

    async def _state(self, tries: int) -> Mapping[str, object]:
        state: dict[str, object] = {"behind": await asyncio.to_thread(self._behind)}
        for service in (*_DATABASES, "tenancy"):
            async with self._database(service) as connection:
                for table in ("outbox", "parked"):
                    state[f"{service} {table}"] = await connection.fetchval(f"SELECT count(*) FROM bus.{table}")
                if service == "lineage":
                    told = "SELECT count(*) FROM lineage.tries WHERE heard_start AND end_at IS NOT NULL"
                    state["tries not told of"] = tries - await connection.fetchval(told)
                    state["unsettled"] = await connection.fetchval("SELECT count(*) FROM lineage.unsettled")
        return state

    def _behind(self) -> int:
        admin = kafka.admin(self.stack)
        committed = dict[tuple[str, int], int]()  # the one that is furthest behind counts
        for group in [one.group_id for one in admin.list_consumer_groups().result(20).valid]:
            [answer] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
            for at in answer.result(20).topic_partitions:
                place = (at.topic, at.partition)
                committed[place] = min(committed.get(place, at.offset), max(0, at.offset))
        latest = {TopicPartition(*place): OffsetSpec.latest() for place in committed}  # type: ignore[no-untyped-call]  # confluent's own
        ends = {(at.topic, at.partition): end.result(20).offset for at, end in admin.list_offsets(latest).items()}
        return sum(ends[place] - offset for place, offset in committed.items())

    async def _snapshot(self) -> Snapshot:
        snapshot = Snapshot()
        for service, schema in _DATABASES.items():
            async with self._database(service) as connection:
                named = "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1"
                for (table,) in await connection.fetch(named, schema):
                    if (name := f"{schema}.{table}") not in _OF_THE_MOMENT:
                        rows = await connection.fetch(f'SELECT to_jsonb(t)::text FROM "{schema}"."{table}" AS t')
                        snapshot.tables[name] = sorted(_spell(name, json.loads(row[0])) for row in rows)
        operator = kafka.client_config(self.stack, "admin")
        for topic in _SAID:
            found = await asyncio.to_thread(said, operator, topic)
            told = {(one.key, one.headers.get("ce_id", ""), one.value) for one in found if not _made_ahead(one)}
            by_id = [one[1] for one in told if one[1]]
            assert len(by_id) == len(set(by_id)), f"{topic}: one id, two contents"
            snapshot.said[topic] = {(key, id_, _spell("said", json.loads(value))) for key, id_, value in told}
        return snapshot

    @asynccontextmanager
    async def _database(self, service: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        postgres = RunningPostgres(self.stack)
        password = postgres.password_file(service).read_text()
        connection = await asyncpg.connect(postgres.url(service), password=password)
        try:
            yield connection
        finally:
            await connection.close()


def _new_stack() -> Stack:
    home = Path(tempfile.mkdtemp(prefix="outrider-test-storm-"))
    home.chmod(0o755)
    stack = Stack.open(home)
    prerequisites.ensure(prerequisites.of_kafka(stack.layout), print)
    return stack


def _onboard(stack: Stack) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for team in TEAMS:
            document = {"apiVersion": "outrider/v1", "kind": "Team", "metadata": {"name": team}, "spec": {}}
            (Path(folder) / f"{team}.yaml").write_text(json.dumps(document))
        command = [sys.executable, "-m", "outrider_cli.main", "--home", str(stack.layout.home), "tenants", "apply"]
        subprocess.run([*command, "-f", folder], check=True)


def _made_ahead(one: Said) -> bool:
    """A place made ahead of the first try is told of only where it was made before that try came: a race."""
    return one.headers.get("ce_type") == EnvironmentReady.type and json.loads(one.value)["task"]["try_number"] == 0


def _spell(name: str, row: Mapping[str, object]) -> str:
    left_out = _ANOTHER_EACH_TIME.get(name, ())
    return json.dumps({key: value for key, value in row.items() if key not in left_out}, sort_keys=True)
