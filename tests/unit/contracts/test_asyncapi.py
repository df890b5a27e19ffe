"""The AsyncAPI document: valid as AsyncAPI says, complete as the registries say, true as the samples say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation
from jsonschema import Draft7Validator, FormatChecker
from outrider_bus.deadletters import Why, dead_letter
from outrider_bus.records import RawRecord
from outrider_contracts import asyncapi, schemas
from outrider_contracts.events import event_types
from outrider_contracts.topics import SHARED, TopicSpec, team_events, team_inbox, team_topics
from outrider_local.topics import rights
from referencing import Registry
from referencing.jsonschema import DRAFT7
from tenancy.domain.rights import wanted_rights

Json = dict[str, Any]
OFFICIAL = json.loads((Path(__file__).parent / "asyncapi" / "3.0.0.json").read_text())
DOCUMENT: Json = json.loads(schemas.ASYNCAPI.read_text())
MESSAGES: dict[str, Json] = DOCUMENT["components"]["messages"]
OF_TEAM = {team_events("ads"): "outrider.team.events.v1", team_inbox("ads"): "outrider.team.inbox.v1"}
SAMPLES = sorted((schemas.FOLDER.parent / "samples").iterdir())
EACH_TOPIC = pytest.mark.parametrize("topic", [*SHARED, *team_topics("ads")], ids=lambda topic: topic.name)


def faults(schema: Json, instance: Any) -> list[str]:
    """What is wrong with *instance*; references are looked up in the document, formats are asserted."""
    registry = Registry[Any]().with_resource("urn:document", DRAFT7.create_resource(DOCUMENT))
    there = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:document#/'))
    checked = Draft7Validator(there, registry=registry, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in checked.iter_errors(instance)]


def channel_of(topic: TopicSpec) -> Json:
    channel: Json = DOCUMENT["channels"][OF_TEAM.get(topic.name, topic.name)]
    return channel


def operations(action: str, channel: str) -> set[str]:
    """Who does *action* with the channel."""
    of_channel = {"$ref": f"#/channels/{channel}"}
    found = [o for o in DOCUMENT["operations"].values() if o["action"] == action and o["channel"] == of_channel]
    return {operation["tags"][0]["name"] for operation in found}


@pytest.mark.parametrize("team", [None, "ads"])
def test_it_is_valid_against_the_official_schema(team: str | None) -> None:
    """Bindings and security schemes too: every reference of the official schema lies within it."""
    official = Draft7Validator(OFFICIAL, format_checker=FormatChecker())

    assert [
        f"{error.json_path}: {error.message[:200]}" for error in official.iter_errors(asyncapi.document(team))
    ] == []


def test_the_official_schema_refuses_what_is_not_asyncapi() -> None:
    """The check above can fail, also deep inside: in a binding, a message, an operation."""
    official = Draft7Validator(OFFICIAL)

    def broken(*path: str, value: Any) -> bool:
        spoiled = part = asyncapi.document("ads")
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        return not official.is_valid(spoiled)

    assert broken("channels", "outrider.team.events.v1", "bindings", "kafka", "partitions", value=0)
    assert broken("components", "messages", "outrider.environment.ready.v1", "payloads", value={})
    assert broken("operations", "team-reads-outrider.team.events.v1", "action", value="read")
    assert broken("components", "securitySchemes", "scramSha512", "type", value="scram")


def test_every_reference_leads_somewhere() -> None:
    """Also those that no sample happens to pass."""

    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [found for item in part for found in references(item)]
        if not isinstance(part, dict):
            return []
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for item in part.values() for found in references(item)]

    lost = []
    for document in (DOCUMENT, asyncapi.document("ads")):
        for reference in set(references(document)):
            part: Any = document
            for step in reference.removeprefix("#/").split("/"):
                part = part.get(step, {})
            lost += [] if part and reference.startswith("#/") else [reference]
    assert lost == []


@EACH_TOPIC
def test_every_topic_is_a_channel_with_its_bindings(topic: TopicSpec) -> None:
    """Address, partitions, and the configuration that Kafka is given."""
    channel = channel_of(topic)
    kafka = channel["bindings"]["kafka"]
    told = {name: ",".join(v) if isinstance(v, list) else str(v) for name, v in kafka["topicConfiguration"].items()}

    assert channel["address"].replace("{team}", "ads") == topic.name
    assert ("parameters" in channel) == (topic.name in OF_TEAM)
    assert kafka["partitions"] == topic.partitions
    assert told == topic.configuration
    assert channel["messages"], "a topic in which nothing lies"


def test_no_channel_is_of_no_topic() -> None:
    """What is gone from the registry is gone from the document."""
    assert DOCUMENT["channels"].keys() == {spec.name for spec in SHARED} | set(OF_TEAM.values())


@pytest.mark.parametrize("name", sorted(event_types()))
def test_every_type_of_event_is_a_message_of_its_topic(name: str) -> None:
    """With headers that name the type, and a payload schema."""
    kind = event_types()[name]

    assert name in DOCUMENT["channels"][kind.topic]["messages"]
    assert MESSAGES[name]["payload"] == {"$ref": f"#/components/schemas/{kind.__name__}"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_valid_by_the_document_alone(path: Path) -> None:
    """Headers by the headers' schema, value by the payload's; with another type or without its fields it is not."""
    sample = json.loads(path.read_text())
    message = MESSAGES[sample["headers"]["ce_type"]]

    assert faults(message["headers"], sample["headers"]) == []
    assert faults(message["payload"], sample["value"]) == []
    assert faults(message["headers"], {**sample["headers"], "ce_type": "outrider.nothing.happened.v1"})
    assert faults(message["payload"], {})


@pytest.mark.parametrize(("action", "operation"), [("send", "WRITE"), ("receive", "READ")])
def test_who_writes_and_who_reads_is_what_the_broker_is_told(action: str, operation: str) -> None:
    """The rights that are granted on each shared topic by its name, neither more nor less."""
    granted: dict[str, set[str]] = {spec.name: set() for spec in SHARED}
    for right in rights():
        if right.name in granted and right.operation == AclOperation[operation]:
            granted[right.name].add(right.principal.removeprefix("User:"))

    assert {spec.name: operations(action, spec.name) for spec in SHARED} == granted


def test_a_teams_document_holds_what_the_team_may_do_and_nothing_else() -> None:
    """Its two topics by name: one to read, one to write."""
    own = asyncapi.document("ads")
    addresses = {f"#/channels/{name}": channel["address"] for name, channel in own["channels"].items()}
    told = {(o["action"], addresses[o["channel"]["$ref"]]) for o in own["operations"].values()}

    assert told == {("receive", team_events("ads")), ("send", team_inbox("ads"))}
    assert "{team}" not in json.dumps(own)
    assert {right.name for right in wanted_rights("ads") if right.operation == "WRITE"} == {team_inbox("ads")}


def test_a_dead_letters_headers_are_the_ones_the_bus_writes() -> None:
    """The document cannot look into the bus; this can."""
    record = RawRecord("t", 0, 7, datetime(2026, 11, 1, tzinfo=UTC), b"k", b"v", ())
    letter = dead_letter(record, Why("validate", "no team"), topic="outrider.dlq.lineage", group="lineage")
    headers = {name: (value or b"").decode() for name, value in letter.headers}
    schema = MESSAGES["outrider.dead-letter"]["headers"]

    assert headers.keys() == schema["properties"].keys()
    assert faults(schema, headers) == []
