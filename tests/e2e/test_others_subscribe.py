"""Systems that know nothing of Outrider hear what concerns their team: the examples, run as they stand."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from outrider_cli.demo.neighbours import kafka_of
from outrider_cli.demo.ride import EXAMPLES, Ride
from outrider_contracts.environments import EnvironmentSealed
from outrider_contracts.runs import RunAnswer, VersionAnswer
from outrider_contracts.topics import team_events
from outrider_local import cache, kafka_install, prerequisites
from outrider_local.kafka import client_config
from outrider_local.waiting import wait_until

from tests.riding import Flown

LANGUAGES = ("python", "java")
Facts = dict[str, tuple[str, object]]
Told = tuple[str, frozenset[str], frozenset[str]]
"""How a run ended, what it read, what it wrote."""
_ENDS = {"success": "COMPLETE", "failed": "FAIL", "up_for_retry": "FAIL", "skipped": "COMPLETE"}


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
def at_work(argv: Sequence[str], variables: Mapping[str, str], output: Path) -> Iterator[None]:
    """The subscriber at work, its lines in *output*; ended by SIGKILL, so nothing is tidied up."""
    with output.open("wb") as lines, output.with_suffix(".err").open("wb") as errors:
        subscriber = subprocess.Popen(argv, env=variables, stdout=lines, stderr=errors)
        try:
            yield
            assert subscriber.poll() is None, output.with_suffix(".err").read_text()
        finally:
            subscriber.kill()
            subscriber.wait(30)


def subscribed(ride: Ride, language: str, team: str, output: Path) -> AbstractContextManager[None]:
    """A team's own subscriber."""
    return at_work(command(ride, language), environment(ride, team), output)


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


@pytest.fixture(scope="module")
def catalogue(ride: Ride) -> tuple[str, ...]:
    """The catalogue's command, its jars fetched as the README of the examples says."""
    pom = EXAMPLES / "subscribers" / "catalogue-pom.xml"
    wanted = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    jars = cache.make_once(ride.stack.layout.cache / f"catalogue-{wanted}", lambda directory: _fetch(pom, directory))
    java = prerequisites.require(prerequisites.JDK)
    return java, "-cp", str(jars / "*"), str(EXAMPLES / "subscribers" / "Catalogue.java")


def _fetch(pom: Path, directory: Path) -> None:
    maven = prerequisites.require(prerequisites.MAVEN)
    copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={directory}")
    cache.run((maven, "-q", "-B", "-f", str(pom), *copy))


def in_the_catalogue(output: Path) -> dict[str, Told]:
    """What it heard of each run that ended."""
    whole = output.read_text().rpartition("\n")[0].splitlines()
    return {
        run_id: (how, frozenset(inputs.split()), frozenset(outputs.split()))
        for run_id, how, _, inputs, outputs in (line.split("\t") for line in whole)
        if how != "START"
    }


def in_lineage(ride: Ride, team: str, dag_id: str, run_id: str) -> dict[str, Told]:
    """What lineage answers of a run and its tries; an end that it waits for is empty."""
    answer = RunAnswer.model_validate(ride.ask("lineage", "/v1/runs", team=team, dag_id=dag_id, run_id=run_id))
    nothing = frozenset[str]()
    starts = {str(one.openlineage_run_id): (_ENDS.get(one.state, ""), nothing, nothing) for one in answer.starts}
    return starts | {
        str(one.openlineage_run_id): (_ENDS.get(one.state, ""), _versions(one.inputs), _versions(one.outputs))
        for one in answer.tries
    }


def _versions(answers: Sequence[VersionAnswer]) -> frozenset[str]:
    return frozenset(one.path.rstrip("/") or one.dataset or "" for one in answers)


def test_openlineages_own_java_model_reads_the_lineage_topic(
    ride: Ride, flown: Flown, catalogue: tuple[str, ...], tmp_path: Path
) -> None:
    """Every event parses; runs, what they read and what they wrote are those that lineage has, no more and no less."""
    reader = {**client_config(ride.stack, "operator"), "group.id": "outrider.catalogue"}
    login = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="{}" password="{}";'
    reader["sasl.jaas.config"] = login.format(reader.pop("sasl.username"), reader.pop("sasl.password"))
    properties, output = tmp_path / "kafka.properties", tmp_path / "heard"
    properties.write_text("".join(f"{name}={value}\n" for name, value in reader.items()))
    wanted = dict[str, Told]()

    def settled() -> bool:
        wanted.update(in_lineage(ride, "ops", "flights", flown.flights))
        wanted.update(in_lineage(ride, "newsroom", "punctuality", flown.punctuality))
        return all(how for how, _, _ in wanted.values())

    assert wait_until(settled, seconds=60, every=0.5), wanted
    with at_work(catalogue, {"PATH": os.environ["PATH"], "KAFKA_PROPERTIES": str(properties)}, output):
        assert wait_until(lambda: wanted.keys() <= in_the_catalogue(output).keys(), seconds=120, every=0.5), (
            output.with_suffix(".err").read_text()
        )
    heard = in_the_catalogue(output)

    assert {run_id: heard[run_id] for run_id in wanted} == wanted
    assert any(inputs for _, inputs, _ in wanted.values())
    assert sum(len(outputs) for _, _, outputs in wanted.values()) >= 6
