"""The service as it runs: its own process, real Kafka, PostgreSQL, S3 and tokens, and a `kill -9` in between."""

import asyncio
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import cast

import aioboto3
import httpx
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from outrider_contracts.airflow import GraphDeclared, RunStarted
from outrider_contracts.declarations import Output, parse_declaration
from outrider_contracts.envelope import decode, encode, open_envelope
from outrider_contracts.environments import EnvironmentReady, EnvironmentSealed, Manifest
from outrider_contracts.event import Event
from outrider_contracts.http import EnsureRequest, Environment, SealRequest, SealResult
from outrider_contracts.keys import RunKey, TaskKey
from outrider_contracts.places import MANIFEST
from outrider_contracts.tenants import TeamSpec, TeamStatus
from outrider_contracts.topics import team_events
from outrider_local.components import all_components
from outrider_local.handles import RunningKafka, RunningS3
from outrider_local.identities import client_secret
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack
from storage.adapters.s3 import config

from tests.integration.storage.test_credentials import make_role

Start = Callable[..., Stack]
TEAM = "harbour"
EXTRACT = parse_declaration("extract", outputs={"orders": Output()})
TIMEOUT = 60.0


@pytest.fixture(scope="module")
def platform_stack(start: Start) -> Stack:
    return start("storage", "tenancy")


@pytest.fixture(scope="module")
def kafka_now(platform_stack: Stack) -> RunningKafka:
    return RunningKafka(platform_stack)


@pytest.fixture(scope="module")
async def team(platform_stack: Stack, kafka_now: RunningKafka) -> AsyncIterator[str]:
    """A team as storage hears of it, with its role and its topic."""
    admin = AdminClient({**kafka_now.client_config()})
    for made in admin.create_topics([NewTopic(team_events(TEAM), 1, 1)]).values():
        made.result(30)
    status = TeamStatus(
        team=TEAM, uid=uuid.uuid4().hex, observed_generation=1, digest="", phase="Ready", spec=TeamSpec(), revision=1,
        updated_at=datetime.now(UTC),
    )  # fmt: skip
    say(kafka_now, "tenancy", status)
    async with make_role(RunningS3(platform_stack), TEAM):
        yield TEAM


@pytest.fixture(scope="module")
def http(platform_stack: Stack) -> Iterator[httpx.Client]:
    """Requests with the token Airflow's workers have."""
    ports = platform_stack.ports
    secret = client_secret(platform_stack.secrets, "airflow").read_text().strip()
    with httpx.Client(base_url=f"http://127.0.0.1:{ports.of('storage')}", timeout=30, trust_env=False) as client:
        token = httpx.post(
            f"http://127.0.0.1:{ports.of('tenancy')}/v1/token", data={"grant_type": "client_credentials"},
            auth=("airflow", secret), trust_env=False, timeout=30,
        ).json()["access_token"]  # fmt: skip
        client.headers["authorization"] = f"Bearer {token}"
        yield client


def say(kafka: RunningKafka, principal: str, *events: Event) -> None:
    producer = Producer({**kafka.client_config(principal)})
    for event in events:
        record = encode(event, source="/test")
        producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    assert producer.flush(20) == 0


def heard(kafka: RunningKafka, topic: str, enough: Callable[[list[Event]], bool]) -> list[Event]:
    """Everything on *topic* of this team from its beginning, each id once, until it is *enough*."""
    settings = {"group.id": f"outrider.test-{uuid.uuid4().hex}", "auto.offset.reset": "earliest"}
    found: dict[str, Event] = {}
    deadline = time.monotonic() + TIMEOUT
    with closing(Consumer({**kafka.client_config("operator"), **settings})) as consumer:
        consumer.subscribe([topic])
        while time.monotonic() < deadline:
            for message in consumer.consume(500, 0.5):
                if message.error():
                    continue
                envelope = open_envelope(cast(list[tuple[str, bytes | None]], message.headers() or []))
                event = decode(envelope, message.value())
                if event is not None and event.team_id() == TEAM:
                    found[envelope.id] = event
            if enough(list(found.values())):
                return list(found.values())
    raise AssertionError(f"only {Counter(type(event).__name__ for event in found.values())} on {topic}")


def started(run_id: str) -> tuple[GraphDeclared, RunStarted]:
    run = RunKey(team=TEAM, dag_id="daily", run_id=run_id)
    now = datetime.now(UTC)
    return (
        GraphDeclared(run=run, dag_version="v1", tasks=(EXTRACT,)),
        RunStarted(run=run, run_started_at=now, run_after=now, dag_version="v1"),
    )


def ready_for(run_id: str) -> Callable[[list[Event]], bool]:
    return lambda events: any(isinstance(e, EnvironmentReady) and e.task.run_id == run_id for e in events)


def ensure(http: httpx.Client, begun: RunStarted, try_number: int = 1) -> Environment:
    task = TaskKey(**begun.run.model_dump(), task_id="extract").attempt(try_number)
    wanted = EnsureRequest(
        task=task, run_started_at=begun.run_started_at, run_after=begun.run_after, declaration=EXTRACT
    )
    deadline = time.monotonic() + TIMEOUT
    while True:
        answer = http.post("/v1/environments/ensure", json=wanted.model_dump(mode="json"))
        if answer.status_code != 202 or time.monotonic() > deadline:
            assert answer.status_code == 200, answer.text
            return Environment.model_validate_json(answer.content)


async def store(environment: Environment, s3: RunningS3) -> None:
    """Write a file and the manifest with the try's own credentials, as the stager does."""
    given = environment.credentials
    assert given is not None
    session = aioboto3.Session(
        aws_access_key_id=given.access_key_id, aws_secret_access_key=given.secret_access_key,
        aws_session_token=given.session_token, region_name=environment.store.region,
    )  # fmt: skip
    path = environment.outputs["orders"].path
    manifest = Manifest(files=(Manifest.File(path="part", size=5),))
    async with session.client("s3", endpoint_url=environment.store.endpoint_url, config=config()) as client:
        await client.put_object(Bucket=environment.store.bucket, Key=path + "part", Body=b"12345")
        await client.put_object(
            Bucket=environment.store.bucket, Key=path + MANIFEST, Body=manifest.model_dump_json().encode()
        )


def test_from_the_start_of_a_run_to_a_sealed_output(
    platform_stack: Stack, kafka_now: RunningKafka, team: str, http: httpx.Client
) -> None:
    graph, begun = started("first")
    say(kafka_now, "airflow", graph, begun)
    ahead = heard(kafka_now, EnvironmentReady.topic, ready_for("first"))

    environment = ensure(http, begun)
    asyncio.run(store(environment, RunningS3(platform_stack)))
    request = SealRequest(task=environment.task, run_started_at=begun.run_started_at, outcome="success")
    sealed = http.post("/v1/environments/seal", json=request.model_dump(mode="json"))

    assert [event.task.try_number for event in ahead if isinstance(event, EnvironmentReady)] == [0]
    assert environment.generation == 1
    assert sealed.status_code == 200, sealed.text
    assert SealResult.model_validate_json(sealed.content).outputs["orders"].bytes == 5
    copies = heard(
        kafka_now, team_events(team), lambda events: any(isinstance(event, EnvironmentSealed) for event in events)
    )
    assert {type(event) for event in copies} == {EnvironmentReady, EnvironmentSealed}
    shown = http.get("/v1/environments", params={"team": team, "dag_id": "daily", "run_id": "first"}).json()
    assert [one["state"] for one in shown["environments"]] == ["sealed"]
    assert shown["environments"][0]["versions"][0]["current"]


def test_killed_in_the_middle_nothing_is_missing_and_nothing_is_there_twice(
    platform_stack: Stack, kafka_now: RunningKafka, team: str, http: httpx.Client
) -> None:
    runs = [f"kill-{number}" for number in range(60)]
    for run_id in runs[:20]:
        say(kafka_now, "airflow", *started(run_id))
    pid = platform_stack.processes.pid("storage")
    assert pid is not None
    for run_id in runs[20:]:
        say(kafka_now, "airflow", *started(run_id))
        if run_id == runs[35]:
            os.kill(pid, signal.SIGKILL)
    bring_up(platform_stack, with_needs(("storage",), all_components()))

    def complete(events: list[Event]) -> bool:
        return set(runs) <= {e.task.run_id for e in events if isinstance(e, EnvironmentReady)}

    said = heard(kafka_now, EnvironmentReady.topic, complete)
    per_run = Counter(e.task.run_id for e in said if isinstance(e, EnvironmentReady) and e.task.run_id in runs)
    assert per_run == Counter(runs)
    generations = {e.generation for e in said if isinstance(e, EnvironmentReady) and e.task.run_id in runs}
    assert generations == {1}


def test_who_may_not_ask_is_told_so(http: httpx.Client, team: str) -> None:
    nobody = httpx.get(http.base_url.join("/v1/pending"), trust_env=False, timeout=30)
    freeze = http.post("/v1/freeze", json={"frozen": True})
    lost = http.post("/v1/holds", json={"path": f"{team}/no/such/place"})

    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthenticated")
    assert (freeze.status_code, freeze.json()["error"]["code"]) == (403, "forbidden")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "unknown-path")
