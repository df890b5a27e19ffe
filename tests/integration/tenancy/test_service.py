"""The service as it runs: its own process, real Kafka, PostgreSQL and S3, and a `kill -9` in between."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from outrider_chassis.tokens import KeySet
from outrider_cli.connection import Connection
from outrider_cli.team_topics import TeamTopics
from outrider_contracts.tenants import AuditRecorded, TeamDesired, TeamSpec, TeamStatus
from outrider_contracts.topics import dead_letters
from outrider_local.handles import RunningKafka
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

from tests.integration.conftest import Start

PROVISIONED = {"kafka", "iam", "postgres", "storage"}
"""What can be brought about without Airflow, which these tests do not start."""
SPOKEN = (TeamDesired.topic, TeamStatus.topic, AuditRecorded.topic, dead_letters("tenancy"))


@pytest.fixture(scope="module")
def running(start: Start) -> Stack:
    return start("tenancy")


@pytest.fixture
def topics(running: Stack) -> Iterator[TeamTopics]:
    with TeamTopics(Connection.of(running).kafka) as topics:
        topics.read_to_end()
        yield topics


@pytest.fixture
async def http(running: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=Connection.of(running).urls["tenancy"], timeout=20, trust_env=False
    ) as client:
        yield client


def desired(team: str, generation: int = 1, uid: str = "", **spec: object) -> TeamDesired:
    made = TeamSpec.model_validate(spec)
    return TeamDesired(
        team=team, uid=uid or uuid.uuid5(uuid.NAMESPACE_DNS, team).hex, generation=generation, digest=made.digest,
        spec=made, requested_by="test", requested_at=datetime.now(UTC),
    )  # fmt: skip


def new_id() -> str:
    return f"s{uuid.uuid4().hex[:9]}"


def await_status(topics: TeamTopics, team: str, holds: Callable[[TeamStatus], bool], seconds: float = 60) -> TeamStatus:
    """The first status of *team* for which *holds* is true."""
    for _ in topics.changes(time.monotonic() + seconds):
        status = topics.status.get(team)
        if status is not None and holds(status):
            return status
    raise AssertionError(f"{team}: {topics.status.get(team)}")


def provisioned(status: TeamStatus) -> bool:
    return {c.type for c in status.conditions if c.status == "True"} >= PROVISIONED


def read_all(stack: Stack, topic: str) -> list[tuple[bytes, bytes]]:
    """Key and value of every record, as the administrator reads them."""
    consumer = Consumer(
        {**RunningKafka(stack).client_config(), "group.id": uuid.uuid4().hex, "enable.partition.eof": True}
    )  # fmt: skip
    consumer.assign([TopicPartition(topic, 0, 0)])
    said: list[tuple[bytes, bytes]] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            said.append((bytes(message.key() or b""), bytes(message.value() or b"")))
        elif error.code() == KafkaError._PARTITION_EOF:
            break
    consumer.close()
    return said


def test_a_team_comes_about_within_seconds_and_its_credentials_are_said_nowhere(
    running: Stack, topics: TeamTopics
) -> None:
    team = new_id()
    topics.send([desired(team)])

    status = await_status(topics, team, provisioned)

    kept = sorted((running.secrets.path("teams") / team).iterdir())
    values = [value for file in kept for value in secret_values(file)]
    said = b"".join(value for topic in SPOKEN for _, value in read_all(running, topic))
    log = running.layout.log("tenancy").read_bytes()
    assert set(status.secret_refs) >= {"kafka", "iam", "postgres"}
    assert [file.name for file in kept] == ["iam", "kafka", "postgres"]
    assert len(values) == 3
    assert not [value for value in values if value.encode() in said or value.encode() in log]


def secret_values(file: Path) -> list[str]:
    return [
        value for name, value in json.loads(file.read_text()).items() if name in ("password", "aws_secret_access_key")
    ]


def test_a_record_nobody_can_take_is_a_dead_letter_and_stops_no_other(running: Stack, topics: TeamTopics) -> None:
    """Reserved ids, foreign keys and nonsense go to the dead letters untouched; the next record is worked off."""
    producer = Producer({**Connection.of(running).kafka})
    reserved = desired("valid").model_dump_json(by_alias=True).replace('"valid"', '"system"').encode()
    headers: list[tuple[str, str | bytes | None]] = [
        ("ce_specversion", b"1.0"), ("ce_id", uuid.uuid4().hex.encode()), ("ce_type", TeamDesired.type.encode()),
        ("ce_source", b"/test"),
    ]  # fmt: skip
    marks = {f"nonsense-{uuid.uuid4().hex}".encode(): b"nonsense", b"system": reserved}
    for key, value in marks.items():
        producer.produce(TeamDesired.topic, value, key, headers=headers if value is reserved else None)
    producer.flush(20)
    team = new_id()
    topics.send([desired(team)])

    await_status(topics, team, provisioned)

    def all_dead() -> bool:
        return marks.items() <= set(read_all(running, dead_letters("tenancy")))

    assert wait_until(all_dead, seconds=60)


def test_teams_that_were_in_the_making_when_tenancy_was_killed_come_about(
    running: Stack, topics: TeamTopics, start: Start
) -> None:
    teams = [new_id() for _ in range(6)]
    topics.send([desired(team) for team in teams])
    await_status(topics, teams[0], lambda _: True)

    pid = running.processes.pid("tenancy")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    start("tenancy")

    for team in teams:
        status = await_status(topics, team, provisioned, seconds=90)
        assert status.observed_generation == 1


def test_a_tombstone_orphans_a_team_and_its_credentials_go_on_working(running: Stack, topics: TeamTopics) -> None:
    team = new_id()
    topics.send([desired(team)])
    await_status(topics, team, provisioned)

    producer = Producer({**Connection.of(running).kafka})
    producer.produce(TeamDesired.topic, None, team)
    producer.flush(20)

    status = await_status(topics, team, lambda s: s.phase == "Orphaned")
    assert provisioned(status)


async def test_the_token_endpoint_mints_what_others_verify(running: Stack, http: httpx.AsyncClient) -> None:
    connection = Connection.of(running)
    secret = connection.secret_file.read_text().strip()
    grant = {"grant_type": "client_credentials"}

    minted = (await http.post("/v1/token", data=grant, auth=("cli", secret))).json()
    wrong = await http.post("/v1/token", data=grant, auth=("cli", "wrong"))

    caller = await KeySet(connection.urls["tenancy"]).verify(minted["access_token"])
    assert (caller.subject, caller.role.name, caller.team) == ("cli", "administrator", None)
    assert wrong.status_code == 401
    assert wrong.json()["error"]["fix"]
    assert (await http.get("/v1/teams")).status_code == 401


def test_an_operator_can_have_a_team_looked_at_and_see_what_would_be_done(running: Stack, topics: TeamTopics) -> None:
    team = new_id()
    topics.send([desired(team)])
    await_status(topics, team, provisioned)
    connection = Connection.of(running)

    connection.ask("tenancy", f"/v1/teams/{team}/reconcile", method="POST")
    found = connection.ask("tenancy", f"/v1/teams/{team}")

    assert found["team"] == team

    def audited() -> bool:
        said = read_all(running, AuditRecorded.topic)
        return any(key == team.encode() and b'"kafka.topic.create"' in audit for key, audit in said)

    assert wait_until(audited, seconds=60)


def test_the_command_line_shows_teams_and_names_mistakes(running: Stack, topics: TeamTopics, tmp_path: Path) -> None:
    team = new_id()
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(f"apiVersion: outrider/v1\nkind: Team\nmetadata: {{name: {team}}}\n")
    bad.write_text("apiVersion: outrider/v1\nkind: Team\nmetadata: {name: ads}\nspec:\n  grant: {}\n")

    sent = outrider(running, "tenants", "apply", "-f", str(good), "--no-wait")
    await_status(topics, team, provisioned)
    again = outrider(running, "tenants", "apply", "-f", str(good), "--no-wait")
    refused = outrider(running, "tenants", "apply", "-f", str(bad))
    shown = outrider(running, "tenants", "get", team, "-o", "json")

    assert (sent.returncode, again.returncode, refused.returncode, shown.returncode) == (0, 0, 2, 0)
    assert "generation 1 sent" in sent.stdout
    assert "unchanged, nothing sent" in again.stdout
    assert "bad.yaml:5: spec.grant" in refused.stderr
    assert TeamStatus.model_validate_json(shown.stdout).team == team
    assert team in outrider(running, "tenants", "list").stdout


def outrider(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outrider_cli.main", "--home", str(stack.layout.home), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
