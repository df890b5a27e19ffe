"""Systems that know nothing of Outrider hear what concerns their team: the examples, run as they stand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from outrider_cli.demo.neighbours import kafka_of
from outrider_cli.demo.ride import EXAMPLES, Ride
from outrider_contracts.environments import EnvironmentSealed
from outrider_contracts.topics import team_events
from outrider_local import kafka_install, prerequisites
from outrider_local.waiting import wait_until

from tests.riding import Flown

LANGUAGES = ("python", "java")
Facts = dict[str, tuple[str, object]]


def command(ride: Ride, language: str) -> tuple[str, ...]:
    """How the README of the examples starts it."""
    folder = EXAMPLES / "subscribers"
    if language == "python":
        return sys.executable, str(folder / "subscriber.py")
    jars = sorted((kafka_install.programs(ride.stack.layout) / "lib").glob("*.jar"))
    needed = [str(jar) for jar in jars if jar.name.startswith(("kafka-clients-", "slf4j-api-"))]
    return prerequisites.require(prerequisites.JDK), "-cp", os.pathsep.join(needed), str(folder / "Subscriber.java")


def environment(ride: Ride, team: str, reads: str = "") -> Mapping[str, str]:
    """Everything a subscriber is given: *team*'s secret as a file, and whose topic it *reads*."""
    secret = ride.stack.layout.secrets / "teams" / team / "kafka"
    return {"PATH": os.environ["PATH"], "TEAM": reads or team, "KAFKA_SECRET": str(secret)}


@contextmanager
def subscribed(ride: Ride, language: str, team: str, output: Path) -> Iterator[None]:
    """The subscriber at work, its lines in *output*; ended by SIGKILL, so nothing is tidied up."""
    with output.open("wb") as lines, output.with_suffix(".err").open("wb") as errors:
        subscriber = subprocess.Popen(command(ride, language), env=environment(ride, team), stdout=lines, stderr=errors)
        try:
            yield
            assert subscriber.poll() is None, output.with_suffix(".err").read_text()
        finally:
            subscriber.kill()
            subscriber.wait(30)


def told(output: Path) -> list[tuple[str, str, object]]:
    """Id, type and data of every whole line, in order."""
    whole = output.read_text().rpartition("\n")[0].splitlines()
    return [(id_, type_, json.loads(data)) for id_, type_, data in (line.split("\t") for line in whole)]


def ids(output: Path) -> set[str]:
    """Ids of what was heard."""
    return {id_ for id_, _, _ in told(output)}


def sealed(ride: Ride, run_id: str) -> dict[str, object]:
    """The run's seals on the topic the platform reads: data by id."""
    said = {
        record.headers["ce_id"]: json.loads(record.value)
        for record in ride.said(EnvironmentSealed.topic)
        if record.headers.get("ce_type") == EnvironmentSealed.type
    }
    return {id_: data for id_, data in said.items() if data["task"]["run_id"] == run_id}


def unread(ride: Ride, language: str, team: str) -> int:
    """How many records of the team's topic lie behind what the subscriber has committed."""
    topic = TopicPartition(team_events(team), 0)
    group = f"outrider.team.{team}.subscriber-{language}"
    consumer = Consumer({**kafka_of(ride.stack, team), "group.id": group})
    try:
        committed = consumer.committed([topic], timeout=20)[0].offset
        return consumer.get_watermark_offsets(topic, timeout=20)[1] - max(committed, 0)
    finally:
        consumer.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subscriber_hears_every_seal_of_its_teams_run_once(
    ride: Ride, flown: Flown, tmp_path: Path, language: str
) -> None:
    """With the team's own credentials: what lies on the shared topic, word for word, and all of it committed."""
    output, wanted = tmp_path / "heard", sealed(ride, flown.flights)

    with subscribed(ride, language, "ops", output):
        assert wait_until(
            lambda: wanted.keys() <= ids(output) and unread(ride, language, "ops") == 0, seconds=90, every=0.5
        ), told(output)
    heard = told(output)

    assert len(wanted) >= 6
    assert {id_: data for id_, type_, data in heard if type_ == EnvironmentSealed.type and id_ in wanted} == wanted
    assert len(ids(output)) == len(heard)


def test_a_killed_subscriber_goes_on_where_it_had_committed(ride: Ride, flown: Flown, tmp_path: Path) -> None:
    """What is said after the kill is heard, what was worked on before it is not heard again."""
    assert flown
    earlier = {record.headers.get("ce_id") for record in ride.said(team_events("ops"))}
    with subscribed(ride, "python", "ops", tmp_path / "before"):
        assert wait_until(lambda: unread(ride, "python", "ops") == 0, seconds=90, every=0.5)

    run_id, after = ride.start("slow"), tmp_path / "after"
    with subscribed(ride, "python", "ops", after):
        assert wait_until(lambda: bool(sealed(ride, run_id).keys() & ids(after)), seconds=90, every=0.5), told(after)

    assert not ids(after) & earlier


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_subscriber_of_another_teams_topic_is_refused_in_words(ride: Ride, flown: Flown, language: str) -> None:
    """Kafka's own error names the topic; the program ends."""
    assert flown

    done = subprocess.run(
        command(ride, language),
        env=environment(ride, "ops", reads="newsroom"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert done.stdout == ""
    assert "TopicAuthorization" in done.stderr or "GroupAuthorization" in done.stderr, done.stderr
    assert "outrider.team.newsroom." in done.stderr
