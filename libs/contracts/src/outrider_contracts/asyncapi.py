"""An AsyncAPI 3 document of every topic, made from the registries of topics and of events, for other systems.

`libs/contracts/asyncapi.json` is its committed text; `python -m outrider_contracts.schemas` writes and checks it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from outrider_contracts.asyncapi_messages import DEAD_LETTER, OPENLINEAGE, messages
from outrider_contracts.events import event_types
from outrider_contracts.names import DerivedNames
from outrider_contracts.topics import SHARED, TopicSpec, team_topics

Json = dict[str, Any]
_KAFKA = {"bindingVersion": "0.5.0"}
_PLACEHOLDER = "ateam"  # a team id for the registry where the document says {team}
_COPIED = ("outrider.environments.v1", "outrider.lineage.edges.v1", "outrider.lineage.v1")
"""Topics whose facts a team finds on its own events topic too."""


@dataclass(frozen=True)
class _Channel:
    """A topic, what lies in it, and who does what with it."""

    id: str
    address: str
    spec: TopicSpec
    messages: Sequence[str]
    writers: Sequence[str]
    readers: Sequence[str]


def document(team: str | None = None) -> Json:
    """The document of all topics; with *team* that of the two which the team itself may use, its id filled in."""
    channels = [*_of_team(team)] if team else [*_shared(), *_of_team(None)]
    spelled, schemas = messages(sorted({name for channel in channels for name in channel.messages}))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Outrider for team {team}" if team else "Outrider",
            "version": "1",
            "description": "What Outrider says and hears on Kafka. Facts are CloudEvents 1.0 in Kafka's binary mode: "
            "attributes are `ce_*` headers, the value is the data alone. Delivery is at least once; a fact said again "
            "has the same `ce_id`. Types only gain optional fields, topics may gain types: pass over what is unknown.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {channel.id: _channel(channel) for channel in channels},
        "operations": dict(_operations(channels, team)),
        "components": {
            "securitySchemes": {
                "scramSha512": {
                    "type": "scramSha512",
                    "description": "Tenancy makes a team's user and password and puts them, with the broker's address, "
                    "into the secret store as `<team>/kafka`.",
                }
            },
            "messages": spelled,
            "schemas": schemas,
        },
    }


def _shared() -> Iterator[_Channel]:
    for spec in SHARED:
        yield _Channel(spec.name, spec.name, spec, _lies_in(spec.name), spec.writers, spec.readers)


def _of_team(team: str | None) -> Iterator[_Channel]:
    events, inbox = team_topics(team or _PLACEHOLDER)
    copies = [name for topic in _COPIED for name in _lies_in(topic)]
    for spec, names, writers, readers in (
        (events, copies, events.writers, ("team", *events.readers)),
        (inbox, [OPENLINEAGE], ("team", *inbox.writers), inbox.readers),
    ):
        channel_id = spec.name.replace(f".{team or _PLACEHOLDER}.", ".")
        address = spec.name if team else spec.name.replace(f".{_PLACEHOLDER}.", ".{team}.")
        yield _Channel(channel_id, address, spec, names, writers, readers)


def _lies_in(topic: str) -> list[str]:
    if topic == "outrider.lineage.v1":
        return [OPENLINEAGE]
    if topic.startswith("outrider.dlq."):
        return [DEAD_LETTER]
    return sorted(name for name, kind in event_types().items() if kind.topic == topic)


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka",
        "description": "The broker: SASL_PLAINTEXT with SCRAM-SHA-512. `outrider status` says where it listens.",
        "variables": {
            "host": {"description": "A bootstrap server's host.", "default": "127.0.0.1"},
            "port": {"description": "The port of its listener for clients.", "default": "9092"},
        },
        "security": [{"$ref": "#/components/securitySchemes/scramSha512"}],
    }


def _channel(channel: _Channel) -> Json:
    spec = channel.spec
    numbers = {name: int(value) for name, value in spec.configuration.items() if name != "cleanup.policy"}
    configuration = {"cleanup.policy": [spec.cleanup], **numbers}
    described: Json = {
        "address": channel.address,
        "description": f"{spec.says[0].upper()}{spec.says[1:]}. Record key: {spec.key}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
        "bindings": {"kafka": {"partitions": spec.partitions, "topicConfiguration": configuration, **_KAFKA}},
    }
    if "{team}" in channel.address:
        described["parameters"] = {"team": {"description": "A team's id.", "examples": ["ads", "news-desk"]}}
    return described


def _operations(channels: Iterable[_Channel], team: str | None) -> Iterator[tuple[str, Json]]:
    """Each principal's use of each topic; of a team's own document the team's alone."""
    for channel in channels:
        for principals, verb, action in ((channel.writers, "writes", "send"), (channel.readers, "reads", "receive")):
            for principal in principals:
                if team is None or principal == "team":
                    operation: Json = {
                        "action": action,
                        "channel": {"$ref": f"#/channels/{channel.id}"},
                        "summary": f"{principal} {verb} {channel.address}",
                        "tags": [{"name": principal}],
                    }
                    if action == "receive":
                        group = {"type": "string", "description": f"Begins with `{_groups(principal, team)}`."}
                        operation["bindings"] = {"kafka": {"groupId": group, **_KAFKA}}
                    yield f"{principal}-{verb}-{channel.id}", operation


def _groups(principal: str, team: str | None) -> str:
    """What the names of the consumer groups begin with that *principal* may use."""
    if principal == "team":
        return DerivedNames(team).kafka_prefix if team else "outrider.team.{team}."
    return "outrider." if principal == "operator" else principal
