"""The service on real Kafka and PostgreSQL, under its own principal and rights."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from lineage.domain.names import Names
from outrider_chassis.database import Pool
from outrider_contracts.tenants import Acceptance, TeamStatus
from outrider_contracts.topics import team_events
from outrider_local.handles import RunningKafka

from tests.integration.lineage.running import Kafka, service
from tests.unit.lineage.stories import (
    EXTRACT,
    TRANSFORM,
    at,
    ready,
    run_key,
    run_started,
    sealed,
    task_finished,
    task_key,
    task_started,
    version,
)  # fmt: skip

NAMES = Names("airflow://test")
SAID, EDGES, DEAD = "outrider.lineage.v1", "outrider.lineage.edges.v1", "outrider.dlq.lineage"


@pytest.fixture
def team() -> str:
    """A team nobody else in this run uses."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def kafka(shared_topics: RunningKafka) -> AsyncIterator[Kafka]:
    """Kafka, with everything lineage says being listened to."""
    world = Kafka(shared_topics)
    async with world.listening(SAID, EDGES, DEAD):
        yield world


def _said(kafka: Kafka, team: str, topic: str = SAID) -> list[tuple[str, str]]:
    events = [json.loads(record["value"]) for record in kafka.records[topic]]
    own = [event for event in events if event["job"]["namespace"] == NAMES.namespace(team)]
    return [(event["job"]["name"], event["eventType"]) for event in own]


def _status(team: str, *readable: Acceptance) -> TeamStatus:
    return TeamStatus(
        team=team, uid=uuid.uuid4().hex, observed_generation=1, digest="d", phase="Ready", readable=readable,
        revision=1, updated_at=at(0),
    )  # fmt: skip


def _report(job: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "eventType": "COMPLETE", "eventTime": "2026-11-02T09:00:00Z", "producer": "https://example.org/job",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(uuid.uuid4())}, "job": {"namespace": job[0], "name": job[1]}, **more,
    }  # fmt: skip


async def test_a_run_is_told_once_whatever_is_delivered_twice(kafka: Kafka, pool: Pool, team: str) -> None:
    """Starts and ends, with the seal in them; a redelivery and a restart of the service repeat nothing."""
    run = run_key(team)
    extract, transform = task_key("extract", run).attempt(1), task_key("transform", run, 0).attempt(1)
    orders = {"orders": (version(extract, "orders"),)}
    story = [
        run_started(run), task_started(extract, 1, EXTRACT), ready(extract, 1.1), sealed(extract, 3, ["orders"]),
        task_finished(extract, 4), task_started(transform, 5, TRANSFORM), ready(transform, 5.1, orders),
        sealed(transform, 6, ["daily"], orders), task_finished(transform, 7),
    ]  # fmt: skip
    expected = {
        ("daily", "START"), ("daily.extract", "START"), ("daily.extract", "COMPLETE"), ("daily.transform", "START"),
        ("daily.transform", "COMPLETE"),
    }  # fmt: skip

    await kafka.make_team(team)
    async with kafka.listening(team_events(team)), service(kafka, pool):
        await kafka.say(_status(team))
        await _known(pool, team)
        await kafka.say(*story)
        await kafka.wait(lambda: expected <= set(_said(kafka, team)))
        await kafka.say(*story)
    async with service(kafka, pool):
        await kafka.say(task_finished(task_key("later", run).attempt(1), 9, "failed"))
        await kafka.wait(lambda: ("daily.later", "FAIL") in _said(kafka, team))

    said = [event for event in _said(kafka, team) if event[0] != "daily.later"]
    assert sorted(said) == sorted(expected)
    events = [json.loads(record["value"]) for record in kafka.records[SAID]]
    own = [event for event in events if event["job"]["namespace"] == NAMES.namespace(team)]
    [complete] = [e for e in own if (e["job"]["name"], e["eventType"]) == ("daily.transform", "COMPLETE")]
    assert [dataset["name"] for dataset in complete["inputs"]] == ["daily/extract/orders"]
    edges = [json.loads(r["value"]) for r in kafka.records[EDGES] if f"/{team}/" in r["key"]]
    assert len(edges) == len({(edge["source"]["name"], edge["target"]["name"]) for edge in edges}) == 4


async def test_a_team_gets_copies_of_its_own_events(kafka: Kafka, pool: Pool, team: str) -> None:
    """In its own topic, once its topics are there."""
    task = task_key("check", run_key(team)).attempt(1)
    await kafka.make_team(team)
    async with kafka.listening(team_events(team)), service(kafka, pool):
        await kafka.say(_status(team))
        await _known(pool, team)
        await kafka.say(task_started(task, 1), task_finished(task, 2))
        copies = team_events(team)
        await kafka.wait(lambda: len(kafka.records[copies]) == 2)

    assert _said(kafka, team, copies) == [("daily.check", "START"), ("daily.check", "COMPLETE")]


async def test_an_end_without_its_seal_is_told_after_a_while(kafka: Kafka, pool: Pool, team: str) -> None:
    """The timer of the service, not a record, says it."""
    task = task_key("extract", run_key(team)).attempt(1)
    async with service(kafka, pool, settle_seconds=1):
        await kafka.say(task_started(task, 1, EXTRACT), task_finished(task, 2))
        await kafka.wait(lambda: ("daily.extract", "COMPLETE") in _said(kafka, team))


async def test_an_impostor_in_an_inbox_is_a_dead_letter(kafka: Kafka, pool: Pool, team: str) -> None:
    """The topic is the identity: a job of another team is not this team's to speak for."""
    await kafka.make_team(team)
    forged = _report((NAMES.namespace("news"), "front.report"))
    async with service(kafka, pool):
        await kafka.report(team, forged)
        await kafka.wait(lambda: any(forged["run"]["runId"].encode() in r["value"] for r in kafka.records[DEAD]))

    assert await pool.fetchval("SELECT count(*) FROM lineage.reported_runs WHERE team = $1", team) == 0


async def test_a_report_counts_as_far_as_its_team_may_speak(kafka: Kafka, pool: Pool, team: str) -> None:
    """Own job, outside table, a granted output of another team; one that was not granted is noted and masked."""
    await kafka.make_team(team)
    granted, secret = "daily/transform/daily", "daily/transform/salaries"
    ads = NAMES.namespace("ads")
    told = _report(
        ("spark", "hourly"),
        inputs=[{"namespace": ads, "name": granted}, {"namespace": ads, "name": secret}],
        outputs=[{"namespace": "postgres://db:5432", "name": "shop.public.orders"}],
    )
    async with service(kafka, pool):
        await kafka.say(_status(team, Acceptance.model_validate({"from": "ads", "output": granted})))
        await _known(pool, team)
        await kafka.report(team, told)
        await _count(pool, "SELECT count(*) FROM lineage.reported_io WHERE team = $1", team, 3)

    notes = await pool.fetch("SELECT note FROM lineage.reported_io WHERE team = $1", team)
    assert sorted(row["note"] for row in notes) == ["", "", "not granted"]
    edges = await pool.fetch("SELECT s.name AS source, t.name AS target FROM lineage.edges e "
                             "JOIN lineage.nodes s ON s.id = e.source JOIN lineage.nodes t ON t.id = e.target "
                             "WHERE e.team = $1", team)  # fmt: skip
    assert {(row["source"], row["target"]) for row in edges} == {(granted, "hourly"), ("hourly", "shop.public.orders")}
    assert await pool.fetchval("SELECT count(*) FROM lineage.nodes WHERE name = $1", secret) == 0


async def _known(pool: Pool, team: str) -> None:
    await _count(pool, "SELECT count(*) FROM chassis.teams WHERE team = $1", team, 1)


async def _count(pool: Pool, query: str, team: str, wanted: int) -> None:
    async with asyncio.timeout(60):
        while await pool.fetchval(query, team) != wanted:  # noqa: ASYNC110  the row is what is waited for
            await asyncio.sleep(0.05)
