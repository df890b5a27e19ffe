"""Applies the topic registry: the shared topics, and what each platform principal may do with them."""

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic
from outrider_contracts.topics import SHARED, TopicSpec

from outrider_local import kafka
from outrider_local.errors import StartFailed
from outrider_local.names import SERVICES
from outrider_local.stack import Stack

_TEAMS = "outrider.team."
_SECONDS = 20


def existing(client: AdminClient) -> frozenset[str]:
    """Names of all topics of the broker."""
    return frozenset(client.list_topics(timeout=_SECONDS).topics)


def apply(client: AdminClient) -> list[str]:
    """Make the shared topics that are missing, and grant the rights; return the names made now."""
    there = existing(client)
    missing = [spec for spec in SHARED if spec.name not in there]
    if missing:
        made = client.create_topics(
            [NewTopic(spec.name, spec.partitions, 1, config=spec.configuration) for spec in missing]
        )
        for future in made.values():
            try:
                future.result(_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    for granted in client.create_acls(rights()).values():
        granted.result(_SECONDS)
    return [spec.name for spec in missing]


def rights() -> list[AclBinding]:
    """Every right of a platform principal."""
    bindings = [binding for spec in SHARED for binding in _of_topic(spec)]
    for service in SERVICES:  # consumer groups, and transactions if it ever wants them
        bindings += _allow(service, ResourceType.GROUP, service, "READ", "DESCRIBE", prefixed=True)
    bindings += _allow("operator", ResourceType.GROUP, "outrider.", "READ", "DESCRIBE", prefixed=True)
    # an operator sees whatever there is, also what the platform has not made; reading records is another right
    bindings += _allow("operator", ResourceType.TOPIC, "*", "DESCRIBE", "DESCRIBE_CONFIGS")
    bindings += _allow("operator", ResourceType.GROUP, "*", "DESCRIBE")
    for reader in ("lineage", "storage", "operator"):
        bindings += _allow(reader, ResourceType.TOPIC, _TEAMS, "READ", "DESCRIBE", prefixed=True)
    for writer in ("storage", "lineage"):
        bindings += _allow(writer, ResourceType.TOPIC, _TEAMS, "WRITE", "DESCRIBE", prefixed=True)
    # tenancy makes the topics, rights and users of teams
    operations = ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER", "ALTER_CONFIGS", "DELETE")
    bindings += _allow("tenancy", ResourceType.TOPIC, _TEAMS, *operations, prefixed=True)
    bindings += _allow("tenancy", ResourceType.GROUP, _TEAMS, "DESCRIBE", "DELETE", prefixed=True)
    cluster = ("ALTER", "DESCRIBE", "ALTER_CONFIGS", "DESCRIBE_CONFIGS")
    bindings += _allow("tenancy", ResourceType.BROKER, "kafka-cluster", *cluster)
    return list(dict.fromkeys(bindings))  # one that writes and reads describes twice


def _of_topic(spec: TopicSpec) -> list[AclBinding]:
    return [
        *(b for writer in spec.writers for b in _allow(writer, ResourceType.TOPIC, spec.name, "WRITE", "DESCRIBE")),
        *(b for reader in spec.readers for b in _allow(reader, ResourceType.TOPIC, spec.name, "READ", "DESCRIBE")),
    ]


def _allow(user: str, kind: ResourceType, name: str, *operations: str, prefixed: bool = False) -> list[AclBinding]:
    pattern = ResourcePatternType.PREFIXED if prefixed else ResourcePatternType.LITERAL
    allow = AclPermissionType.ALLOW
    return [AclBinding(kind, name, pattern, f"User:{user}", "*", AclOperation[each], allow) for each in operations]


class Topics:
    """The step between the broker and whoever reads and writes: no process of its own."""

    name = "topics"
    after = (kafka.NAME,)

    def install(self, stack: Stack) -> None:
        """Nothing to fetch."""

    def start(self, stack: Stack) -> None:
        try:
            apply(kafka.admin(stack))
        except KafkaException as error:
            raise StartFailed(f"kafka refused a topic or a right: {error}") from error

    def ready(self, stack: Stack) -> bool:
        if not kafka.Kafka().ready(stack):
            return False
        try:
            return existing(kafka.admin(stack)) >= {spec.name for spec in SHARED}
        except KafkaException:
            return False

    def stop(self, stack: Stack) -> None:
        """Nothing runs; the topics stay with the broker's data."""

    def endpoints(self, stack: Stack) -> Mapping[str, str]:  # noqa: ARG002 - part of the interface
        return {}
