"""What holds for every fact and every topic, also those not written yet."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from outrider_contracts import airflow, declarations, environments, http, lineage, schemas, tenants, topics
from outrider_contracts.envelope import decode, encode, open_envelope
from outrider_contracts.event import Event
from outrider_contracts.events import event_types
from outrider_contracts.model import Model
from outrider_contracts.topics import (
    SHARED,
    TEAM_INBOXES,
    TopicSpec,
    dead_letters,
    team_events,
    team_inbox,
    team_topics,
)

SAMPLES = schemas.FOLDER.parent / "samples"
TYPES = event_types()
EACH_TYPE = pytest.mark.parametrize("name", sorted(TYPES))
EACH_TOPIC = pytest.mark.parametrize("topic", [*SHARED, *team_topics("ads")], ids=lambda topic: topic.name)
OF_TEAMS = {team_inbox("ads"), team_events("ads")}


def read(path: Path) -> tuple[dict[str, Any], Event]:
    """A sample and the fact it holds."""
    sample = json.loads(path.read_text())
    headers = [(name, value.encode()) for name, value in sample["headers"].items()]
    event = decode(open_envelope(headers), json.dumps(sample["value"]).encode())

    assert event is not None, f"{path.name} is of a type nobody knows"
    return sample, event


@EACH_TYPE
def test_a_type_is_named_after_domain_fact_and_version(name: str) -> None:
    """`outrider.<domain>.<fact>.v<n>`; a version counts up only when an older one is there."""
    match = re.fullmatch(r"(outrider\.[a-z]+\.[a-z]+(?:-[a-z]+)*)\.v([1-9][0-9]*)", name)

    assert match is not None
    assert all(f"{match[1]}.v{version}" in TYPES for version in range(1, int(match[2])))


@EACH_TYPE
def test_a_fact_says_what_happened(name: str) -> None:
    """A docstring of its own, a past participle as its name, a topic of the registry."""
    kind = TYPES[name]

    assert inspect.getdoc(kind), f"{kind.__name__} says nothing"
    assert kind.__doc__ != Event.__doc__
    assert kind.topic in {topic.name for topic in SHARED}
    assert all(method in vars(kind) or kind.__mro__[1] is not Event for method in ("key", "identity"))


@EACH_TYPE
def test_a_fact_has_a_sample_that_parses_and_is_said_again_as_it_stands(name: str) -> None:
    """`samples/<type>.json`: topic, key, headers, value."""
    path = SAMPLES / f"{name}.json"
    assert path.exists(), f"write {path}: topic, key, headers and value of one {name}"
    sample, event = read(path)

    again = encode(
        event,
        source=sample["headers"]["ce_source"],
        causationid=sample["headers"].get("ce_causationid", ""),
        traceparent=sample["headers"].get("traceparent", ""),
    )

    assert type(event) is TYPES[name]
    said = {header: value.decode() for header, value in again.headers}
    assert {"topic": again.topic, "key": again.key, "headers": said, "value": json.loads(again.value)} == sample


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_a_sample_once_given_is_read_forever(path: Path) -> None:
    """Older ones stay beside the present one as `<type>.<anything>.json`."""
    name = next((name for name in TYPES if path.name.startswith(f"{name}.")), None)

    assert name is not None, f"{path.name} is a sample of nothing"
    assert isinstance(read(path)[1], TYPES[name])


def test_committed_schemas_are_the_generated_ones() -> None:
    """`python -m outrider_contracts.schemas` writes them."""
    assert schemas.differences() == []


def test_released_facts_only_gain_optional_fields() -> None:
    """A breaking change is a new type."""
    assert schemas.incompatibilities() == []


@EACH_TOPIC
def test_a_topic_is_named_by_the_grammar(topic: TopicSpec) -> None:
    """`outrider.….v<n>`, dead letters `outrider.dlq.<group>`; no name is a prefix that rights are given on."""
    assert re.fullmatch(r"outrider\.[a-z]+(?:\.[a-z-]+)*\.v[1-9]|outrider\.dlq\.[a-z]+", topic.name)
    assert topic.name.startswith("outrider.team.") == (topic.name in OF_TEAMS)
    assert "_" not in topic.name, "Kafka's metrics do not tell '.' from '_'"


@EACH_TOPIC
def test_a_topic_has_a_writer_and_a_reader_and_says_what(topic: TopicSpec) -> None:
    """Of a team's own two the team is the other side."""
    assert topic.says
    assert topic.key
    assert topic.writers or topic.name in OF_TEAMS
    assert topic.readers


@EACH_TOPIC
def test_a_topic_is_kept_by_time_or_by_key(topic: TopicSpec) -> None:
    """Compacted topics keep the last word of each key, all others say for how long."""
    assert (topic.cleanup == "compact") == (topic.retention_ms is None)
    assert topic.configuration["cleanup.policy"] == topic.cleanup


def test_no_topic_is_there_twice_and_every_group_has_its_dead_letters() -> None:
    """Each reader among the services can put aside what it can't take."""
    names = [topic.name for topic in SHARED]
    readers = {reader for topic in SHARED for reader in topic.readers} - {"operator"}

    assert len(set(names)) == len(names)
    assert {dead_letters(reader) for reader in readers} <= set(names)


def test_inboxes_are_found_by_their_pattern_and_nothing_else_is() -> None:
    """A new team is heard without anybody naming it."""
    pattern = re.compile(TEAM_INBOXES)

    assert pattern.match(team_inbox("news-desk"))
    assert not [topic.name for topic in SHARED if pattern.match(topic.name)]
    assert not pattern.match(team_events("ads"))


def test_every_model_says_what_it_is() -> None:
    """Contracts are read by people first."""
    modules = (airflow, declarations, environments, http, lineage, tenants, topics)
    silent = [
        f"{module.__name__}.{name}"
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Model)
        and kind.__module__ == module.__name__
        and not kind.__doc__
    ]

    assert silent == []


def test_two_facts_can_not_share_a_type() -> None:
    """The second class of that name is refused where it is written."""
    with pytest.raises(TypeError, match="is said by RunStarted already"):
        type("Impostor", (Event,), {"type": "outrider.airflow.run-started.v1", "__module__": __name__})
