"""`outrider events` on a running stack: Kafka, tenancy and storage are up; lineage and sweep are not."""

import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from outrider_cli.connection import NotConnected
from outrider_cli.events_broker import Broker
from outrider_cli.events_groups import measure
from outrider_cli.main import app
from outrider_contracts.airflow import AirflowEvent, RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.keys import RunKey
from outrider_local import kafka
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until
from typer.testing import CliRunner, Result

AT = datetime(2026, 11, 1, tzinfo=UTC)
POISON = b'\xff\x1b[2J{"run": 7}'


@dataclass(frozen=True)
class Operator:
    """Runs commands as a person would, with nobody at a terminal."""

    stack: Stack

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["--home", str(self.stack.layout.home), "events", *arguments])

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    def say(self, topic: str, key: bytes, value: bytes | None, headers: Any = (), at: int = 0) -> None:
        producer = Producer(kafka.client_config(self.stack, "admin"))
        producer.produce(topic, value, key, headers=list(headers), timestamp=at)
        assert producer.flush(20) == 0

    def finished(self, team: str, run_id: str = "r") -> None:
        run = RunKey(team=team, dag_id="daily", run_id=run_id)
        spelt = encode(RunFinished(run=run, run_started_at=AT, state="success", finished_at=AT), source="/test")
        self.say(spelt.topic, spelt.key.encode(), spelt.value, spelt.headers)


@pytest.fixture(scope="module")
def operator(start: Callable[..., Stack]) -> Operator:
    return Operator(start("storage", "tenancy"))


@pytest.fixture
def team() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def topic(operator: Operator) -> str:
    """A topic the registry knows nothing of, with 10 records, one per second up to now."""
    name = f"outrider.test.{uuid.uuid4().hex[:10]}"
    admin = kafka.admin(operator.stack)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    now = int(time.time() * 1000)
    for n in range(10):
        operator.say(name, f"key{n}".encode(), b"{}", at=now - (9 - n) * 1000)
    for granted in admin.create_acls([_may_read(name)]).values():
        granted.result(20)
    # the controller answers before the broker knows of the right
    assert wait_until(lambda: bool(admin.describe_acls(_rights_on(name)).result(20)), seconds=20)
    return name


def _may_read(topic: str) -> Any:
    return AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:operator", "*", AclOperation.READ,
        AclPermissionType.ALLOW,
    )  # fmt: skip


def _rights_on(topic: str) -> Any:
    anybody: Any = None  # the client's stub knows of none
    return AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, anybody, anybody, AclOperation.ANY,
        AclPermissionType.ANY,
    )  # fmt: skip


def test_topics_are_compared_with_the_registry(operator: Operator, topic: str) -> None:
    reports = {report["name"]: report for report in operator.json("topics")}

    assert reports[AirflowEvent.topic]["faults"] == []
    assert reports[AirflowEvent.topic]["partitions"] == 12
    assert reports[topic]["records"] == 10
    assert reports[topic]["oldest"] < reports[topic]["newest"]
    assert "not in the registry" in reports[topic]["faults"][0]
    shown = operator.run("topics").output
    assert f"{topic}: is not in the registry" in shown


def test_groups_say_whose_they_are_and_who_is_in_them(operator: Operator) -> None:
    groups = {group["name"]: group for group in operator.json("groups")}

    assert (groups["storage"]["owner"], groups["storage"]["state"]) == ("storage", "stable")
    assert groups["storage"]["topics"] == [AirflowEvent.topic]
    assert [member["partitions"] for member in groups["storage"]["members"]] == [12]


def test_what_kafka_does_not_show_is_not_taken_for_well(operator: Operator) -> None:
    """Airflow's user reads nothing and may look at no group; Kafka answers with none, and no error."""
    blind = Broker(kafka.client_config(operator.stack, "airflow"))

    for look in (blind.groups, lambda: measure(blind, ())):
        with pytest.raises(NotConnected, match="not for this user's eyes"):
            look()


def test_lag_is_watched_by_programs_too(operator: Operator) -> None:
    outrider = str(Path(sys.executable).with_name("outrider"))
    command = [outrider, "--home", str(operator.stack.layout.home), "events", "lag", "storage"]
    with subprocess.Popen([*command, "--watch", "0.2", "--json"], stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        deadline = threading.Timer(60, watching.kill)
        deadline.start()
        looks = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        watching.wait()
        deadline.cancel()

    assert all({one["group"] for one in look} == {"storage"} for look in looks)
    assert watching.returncode == 0


def test_lag_is_told_in_records_and_seconds_and_by_the_exit_status(operator: Operator, topic: str) -> None:
    group = f"outrider.test.{uuid.uuid4().hex[:10]}"
    admin = kafka.admin(operator.stack)
    offsets = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 4)])
    admin.alter_consumer_group_offsets([offsets])[group].result(20)

    [lag] = operator.json("lag", group)

    assert (lag["committed"], lag["end"], lag["records"]) == (4, 10, 6)
    assert 5 <= lag["seconds"] <= 120
    assert operator.run("lag", group, "--max-records", "6").exit_code == 0
    assert operator.run("lag", group, "--max-records", "5").exit_code == 3
    assert operator.run("lag", group, "--max-seconds", "1").exit_code == 3
    assert f"{topic}/0" in operator.run("lag", group).output


def test_a_group_that_is_unknown_is_answered_with_those_there_are(operator: Operator) -> None:
    result = operator.run("lag", "nobody")

    assert result.exit_code == 1
    assert "there is no group nobody; there are: " in result.stderr
    assert "storage" in result.stderr


def test_records_are_found_by_team_type_key_offset_and_time(operator: Operator, team: str, topic: str) -> None:
    operator.finished(team, "r1")
    operator.finished(team, "r2")

    keys = [record["key"] for record in operator.lines("tail", "airflow.v1", "--team", team)]
    assert sorted(keys) == [f"{team}/daily/r1", f"{team}/daily/r2"]
    by_key = operator.lines("tail", "airflow.v1", "--key", f"{team}/*/r2", "--type", "*.run-finished.*")
    assert [record["value"]["run"]["run_id"] for record in by_key] == ["r2"]
    assert operator.lines("tail", "airflow.v1", "--team", team, "--type", "nothing") == []
    assert [record["key"] for record in operator.lines("tail", topic, "-n", "2")] == ["key8", "key9"]
    assert [record["offset"] for record in operator.lines("tail", topic, "--from", "7")] == [7, 8, 9]
    assert operator.lines("tail", topic, "--since", "2020-01-01")[0]["key"] == "key0"
    assert operator.lines("tail", topic, "--since", "0001-01-01")[0]["key"] == "key0"
    assert operator.run("tail", topic, "--since", "yesterday").exit_code == 2
    assert operator.run("tail", "absent").exit_code == 1


def test_tailing_joins_no_group(operator: Operator, topic: str) -> None:
    operator.run("tail", topic)

    assert [group for group in operator.json("groups") if group["name"].startswith("outrider.cli")] == []


def test_what_would_act_on_a_terminal_is_escaped(operator: Operator, topic: str) -> None:
    operator.say(topic, "k\u202e\x1b[31m".encode(), b"\x1b[2J\xff", [("h\x07", b"\x1b]0;x\x07")])

    shown = operator.run("tail", topic, "-n", "1").output

    assert r"k\u202e\x1b[31m" in shown
    assert r"\x1b[2J\xff" in shown
    assert "\x1b" not in shown


@pytest.fixture
def letter(operator: Operator, team: str) -> str:
    """The id of a dead letter of storage that can't be read."""
    spelt = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_type": RunFinished.type.encode(), "ce_source": b"/t"}
    operator.say(AirflowEvent.topic, f"{team}/daily/r".encode(), POISON, spelt.items())
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        found[:] = operator.json("dlq", "ls", "--team", team, "--service", "storage")
        return bool(found)

    assert wait_until(is_there, seconds=60, every=0.3)
    return str(found[0]["id"])


def test_a_dead_letter_is_listed_shown_and_written_byte_for_byte(
    operator: Operator, team: str, letter: str, tmp_path: Path
) -> None:
    [listed] = operator.json("dlq", "ls", "--team", team, "--stage", "value", "--since", "1h")
    shown = operator.run("dlq", "show", letter)
    written = operator.run("dlq", "show", letter, "--raw", str(tmp_path / "value"))

    assert (listed["id"], listed["group"], listed["stage"]) == (letter, "storage", "value")
    assert operator.json("dlq", "ls", "--team", team, "--stage", "handle") == []
    assert "ff 1b 5b 32 4a" in shown.output
    assert "\x1b" not in shown.output
    assert written.exit_code == 0
    assert (tmp_path / "value").read_bytes() == POISON


def test_a_redrive_is_planned_then_tried_and_what_fails_again_stays_open(operator: Operator, letter: str) -> None:
    planned = operator.run("dlq", "redrive", letter, "--dry-run")
    unconfirmed = operator.run("dlq", "redrive", letter, "--reason", "a try")
    redriven = operator.run("dlq", "redrive", letter, "--reason", "a try", "--yes")
    without_a_reason = operator.run("dlq", "redrive", letter, "--yes")

    assert (planned.exit_code, unconfirmed.exit_code) == (3, 2)
    assert "would fail" in planned.output
    assert redriven.exit_code == 3
    assert "failed again" in redriven.output
    assert without_a_reason.exit_code == 2
    shown = operator.json("dlq", "show", letter)
    assert (shown["state"]["state"], shown["state"]["redrives"], shown["state"]["actor"]) == ("failed", 1, "cli")


def test_a_discarded_letter_is_listed_only_with_all_and_the_act_is_audited(
    operator: Operator, team: str, letter: str
) -> None:
    result = operator.run("dlq", "discard", letter, "--reason", "a test's", "--yes")
    again = operator.run("dlq", "discard", letter, "--reason", "again", "--yes")

    assert result.exit_code == 0, result.output
    assert again.exit_code == 3
    assert "it was discarded by cli" in again.output
    assert operator.json("dlq", "ls", "--team", team) == []
    [settled] = operator.json("dlq", "ls", "--team", team, "--all")
    assert settled["state"]["reason"] == "a test's"
    audits: list[dict[str, Any]] = []

    def audited() -> bool:
        audits[:] = operator.lines("tail", "audit.v1", "--team", team)
        return bool(audits)

    assert wait_until(audited, seconds=30, every=0.3)
    assert [audit["value"]["action"] for audit in audits] == ["bus.dead-letter.discard"]


def test_several_letters_are_chosen_by_filters(operator: Operator, team: str, letter: str) -> None:
    redriven = operator.run("dlq", "redrive", "--all-matching", "--team", team, "--reason", "all", "--yes")
    none = operator.run("dlq", "redrive", "--all-matching", "--team", "nobody", "--reason", "all", "--yes")
    first = operator.run("dlq", "redrive", "--all-matching", "--first-delivery", "--reason", "all", "--yes")

    assert letter in redriven.output
    assert redriven.exit_code == 3
    assert (none.exit_code, none.stdout) == (0, "no dead letters are open\n")
    assert first.exit_code == 2


def test_a_service_that_is_down_is_named_and_the_others_are_shown(operator: Operator) -> None:
    parked, outbox = operator.run("parked"), operator.run("outbox", "ls")

    assert parked.exit_code == outbox.exit_code == 0
    assert "no lane is sick" in parked.output
    assert "lineage does not answer" in parked.stderr
    assert "sweep does not answer" in outbox.stderr


def test_a_lane_or_row_that_is_unknown_is_said_so(operator: Operator) -> None:
    retried = operator.run("parked", "retry", "absent")
    dropped = operator.run("outbox", "discard", "storage/17", "--yes")
    unnamed = operator.run("parked", "retry")

    assert (retried.exit_code, dropped.exit_code, unnamed.exit_code) == (1, 1, 2)
    assert "no lane absent is sick" in retried.stderr
    assert "no stuck row is called storage/17" in dropped.stderr
