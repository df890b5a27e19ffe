"""Storage handles facts again: nothing is removed, revived or opened by it, and repeating it changes nothing."""

import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress
from outrider_bus.replay.sieve import ReplayRefused
from outrider_chassis.teams import TeamsProjection
from outrider_contracts.airflow import RunDeleted
from outrider_contracts.declarations import Output, parse_declaration
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.replays import Replay, ReplayRequest
from outrider_contracts.tenants import TeamStatus
from outrider_local.handles import RunningKafka
from storage.handlers import NEVER_AGAIN, handlers, lane

from tests.integration.bus.real_world import QUICK, eventually
from tests.integration.conftest import Start
from tests.integration.storage.platform import (
    MIDNIGHT,
    Platform,
    graph,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
    task_started,
)
from tests.integration.storage.test_service import say

SHORT = parse_declaration("extract", outputs={"orders": Output(retention="run")})
END = MIDNIGHT + timedelta(minutes=20)
AGAIN = MIDNIGHT + timedelta(minutes=25)
ORDERS = "ads/daily/extract/20261101T000000.000000Z/orders/g1/"
FIRST: tuple[Event, ...] = (graph(run(), SHORT), run_started(run()), task_started(task("extract").attempt(1), SHORT))
ENDS: tuple[Event, ...] = (
    task_finished(task("extract").attempt(1), "success", END),
    run_finished(run(), END),
)
REOPENED: tuple[Event, ...] = (
    run_started(run(), AGAIN, clear_number=1),
    task_started(task("extract").attempt(2), SHORT, AGAIN),
    task_finished(task("extract").attempt(2), "failed", AGAIN + timedelta(minutes=1), AGAIN),
    run_finished(run(), AGAIN + timedelta(minutes=2), AGAIN),
    RunDeleted(run=run("r2"), run_started_at=MIDNIGHT, seen_at=END),
)


@dataclass
class Heard:
    """A storage service that hears a topic of its own from a real Kafka."""

    platform: Platform
    bus: Bus
    group: str
    topic: str
    producer: AIOKafkaProducer

    async def hear(self, *events: Event) -> None:
        for event in events:
            await send(self.producer, self.topic, event)
        ids = [event.id for event in events]

        async def known() -> bool:
            sql = "SELECT count(*) FROM bus.inbox WHERE group_id = $1 AND event_id = ANY ($2)"
            return bool(await self.platform.pool.fetchval(sql, self.group, ids) == len(ids))

        await eventually(known)

    async def replay(self, mode: str) -> Replay:
        request = ReplayRequest.model_validate({"group": self.group, "mode": mode, "reason": "a test"})
        job = await self.bus.replays.order(request, actor="ann")

        async def is_over() -> bool:
            return (await self.bus.replays.get(job.id)).is_over

        await eventually(is_over)
        return await self.bus.replays.get(job.id)

    async def tables(self) -> dict[str, str]:
        """A hash of each of the service's tables."""
        names = await self.platform.pool.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname IN ('storage', 'chassis') ORDER BY 1"
        )
        hashed = "SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM"
        return {row["name"]: await self.platform.pool.fetchval(f"{hashed} {row['name']} t") for row in names}


async def send(producer: AIOKafkaProducer, topic: str, event: Event) -> None:
    spelt = encode(event, source="/airflow")
    await producer.send_and_wait(topic, spelt.value, key=spelt.key.encode(), headers=list(spelt.headers))


async def hear_of_all_teams(platform: Platform, producer: AIOKafkaProducer) -> None:
    """Other tests have told of teams: until the last of them, which we tell of, is kept."""
    last = TeamStatus(
        team=f"t{uuid.uuid4().hex[:8]}", uid=uuid.uuid4().hex, observed_generation=1, digest="", phase="Ready",
        revision=1, updated_at=MIDNIGHT,
    )  # fmt: skip
    await send(producer, last.topic, last)

    async def kept() -> bool:
        return bool(await platform.pool.fetchval("SELECT count(*) FROM chassis.teams WHERE team = $1", last.team))

    await eventually(kept, seconds=60)


@pytest.fixture
async def storage(platform: Platform, shared_topics: RunningKafka) -> AsyncIterator[Heard]:
    address = KafkaAddress(shared_topics.bootstrap, "admin", shared_topics.password_file("admin").read_text())
    name = f"storage-{uuid.uuid4().hex[:8]}"
    topic = f"outrider.test.{name}"
    admin = AIOKafkaAdminClient(**address.client_options)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    await platform.pool.execute("TRUNCATE bus.inbox, bus.replays CASCADE")
    bus = Bus(service="storage", kafka=address, pool=platform.pool, timing=QUICK)
    bus.lanes(group=name, topics=[topic], handlers=handlers(platform.work), lane=lane, never_again=NEVER_AGAIN)
    TeamsProjection(platform.pool).listen(bus, f"{name}.teams")
    producer = AIOKafkaProducer(**address.client_options, enable_idempotence=True)
    await producer.start()
    await bus.start()
    await hear_of_all_teams(platform, producer)
    yield Heard(platform, bus, name, topic, producer)
    await bus.stop()
    await producer.stop()


async def test_repeating_a_replay_changes_nothing(storage: Heard) -> None:
    """By hashes of all tables, in both modes, with the inbox and without."""
    await storage.hear(*FIRST)
    await storage.platform.produce(task("extract").attempt(1), SHORT)
    await storage.hear(*ENDS, *REOPENED)
    before = await storage.tables()

    for mode in ("missing", "reapply", "reapply"):
        assert (await storage.replay(mode)).status == "done"
        assert await storage.tables() == before
    await storage.platform.pool.execute("DELETE FROM bus.inbox")
    handled = await storage.replay("missing")

    assert (handled.counts.done, handled.counts.left_out, handled.counts.failed) == (5, 5, 0)
    assert await storage.tables() == before
    assert before["storage.runs"] != before["storage.ends"]


@pytest.mark.parametrize("mode", ["missing", "reapply"])
async def test_a_replay_of_everything_removes_nothing_whatever_was_lost(storage: Heard, mode: str) -> None:
    """The database lost the run's ends and its second start. What is told again lets nothing go, for ever; the same
    facts heard for the first time do."""
    platform = storage.platform
    await storage.hear(*FIRST)
    await platform.produce(task("extract").attempt(1), SHORT)
    await storage.hear(*ENDS, *REOPENED)
    await platform.pool.execute("DELETE FROM bus.inbox")
    await platform.pool.execute("DELETE FROM storage.ends")
    await platform.pool.execute("DELETE FROM storage.runs WHERE run_started_at = $1 OR run_id <> 'r1'", AGAIN)
    await platform.pool.execute("UPDATE storage.runs SET finished_at = NULL, outcome = NULL")
    await platform.pool.execute("UPDATE storage.versions SET due_at = CASE WHEN path = $1 THEN now() END", ORDERS)
    attempts = await platform.pool.fetch("SELECT * FROM storage.attempts ORDER BY place, generation")

    job = await storage.replay(mode)
    assert attempts == await platform.pool.fetch("SELECT * FROM storage.attempts ORDER BY place, generation")
    platform.airflow_says(run(), started=AGAIN)
    for _ in range(4):
        platform.later(days=30)
        await platform.tidy()
        assert await platform.clear() == (0, 0)
    sealed = await platform.state(ORDERS)
    await platform.hear(*REOPENED[:1], *ENDS, *REOPENED[1:])
    platform.later(days=30)
    doomed, _ = await platform.clear()

    assert (job.counts.done, job.counts.left_out) == (5, 5)
    assert sealed == "sealed"
    assert doomed > 0


async def test_a_team_is_never_told_again(storage: Heard) -> None:
    request = ReplayRequest(group=f"{storage.group}.teams", topic=TeamStatus.topic, reason="a test")

    with pytest.raises(ReplayRefused, match="a replay may not change a tenant") as refusal:
        await storage.bus.replays.order(request, actor="ann")

    assert refusal.value.code == "never_again"


def test_a_replay_is_operated_from_the_command_line(start: Start) -> None:
    """On the services as they run: plan, run, watch, look, and a clear no where there is nothing to do."""
    home = start("storage", "tenancy").layout.home

    def outrider(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "outrider_cli.main", "--home", str(home), "events", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    kafka = RunningKafka(start("storage", "tenancy"))
    say(kafka, "airflow", *(run_started(run(f"by-hand-{n}", team="byhand")) for n in range(6)))
    chosen = ("storage", "--team", "byhand", "--type", "RunStarted", "--from", "1h", "--reapply")
    plan = json.loads(outrider("replay", *chosen, "--json").stdout)
    shown = outrider("replay", *chosen)
    ran = outrider("replay", *chosen, "--reason", "by hand", "--yes", "--follow", "--json")
    last = json.loads(ran.stdout.splitlines()[-1])
    found = outrider("replays", "show", last["id"])
    listed = json.loads(outrider("replays", "--json").stdout)
    cancelled = outrider("replays", "cancel", last["id"])
    tenants = outrider("replay", "tenancy", "--from", "1h")
    unknown = outrider("replay", "nobody", "--from", "1h")

    assert (plan["matching"], plan["group"], len(plan["previews"])) == (6, "storage", 5)
    assert shown.returncode == 0
    assert "6 records match" in shown.stdout
    assert "Nothing was done. Run it with --reason WHY --yes." in shown.stdout
    assert ran.returncode == 0, ran.stderr
    assert (last["status"], last["counts"]["done"], last["reason"]) == ("done", 6, "by hand")
    assert "100 % read" in found.stdout
    assert [job["id"] for job in listed] == [last["id"]]
    assert (cancelled.returncode, "is done" in cancelled.stderr) == (1, True)
    assert (tenants.returncode, "may not change a tenant" in tenants.stderr) == (1, True)
    assert (unknown.returncode, "there are: " in unknown.stderr) == (1, True)
    assert outrider("replay", *chosen, "--yes").returncode == 2
