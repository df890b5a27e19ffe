"""The broker as an operator's principal sees it: topics with their ends, groups, and how far these have read."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType
from outrider_contracts import topics as registry
from outrider_local.names import SERVICES

from outrider_cli.connection import NotConnected

T = TypeVar("T")
Place = tuple[str, int]
"""A topic's partition."""
UNSEEN = "not for this user's eyes; `outrider topics apply` grants it"
"""Why Kafka may show nothing, for it shows what one may not see as if it were not there."""
_SECONDS = 15.0


@dataclass(frozen=True)
class Group:
    """A consumer group: who is in it, and the offset it has committed in each partition (None: none yet)."""

    name: str
    state: str
    members: tuple[tuple[str, str, int], ...]
    """Client id, host, how many partitions."""
    committed: Mapping[Place, int | None]

    @property
    def owner(self) -> str:
        """The service, or the team, whose prefix it bears; "" for nobody of the platform."""
        if self.name.startswith("outrider.team."):
            return f"team {self.name.split('.')[2]}"
        return next((service for service in SERVICES if self.name.startswith(service)), "")

    @property
    def topics(self) -> list[str]:
        """What it reads."""
        return sorted({topic for topic, _ in self.committed})


class Broker:
    """Asks Kafka. Every method raises NotConnected with what a person can do."""

    def __init__(self, kafka: Mapping[str, str]) -> None:
        self._kafka = {**kafka, "client.id": "outrider-cli", "log_level": 0}
        self._admin = AdminClient({name: str(value) for name, value in self._kafka.items()})

    def partitions(self) -> dict[str, int]:
        """Every topic and how many partitions it has, without Kafka's own."""
        with _told():
            found = self._admin.list_topics(timeout=_SECONDS).topics
        return {name: len(topic.partitions) for name, topic in sorted(found.items()) if not name.startswith("__")}

    def ends(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset there is, and the one the next record gets."""
        wanted = list(places)
        first = self._offsets(wanted, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        end = self._offsets(wanted, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {place: (first[place], end[place]) for place in wanted}

    def offsets_at(self, places: Iterable[Place], milliseconds: int) -> dict[Place, int]:
        """The first offset said at that time or later; -1 where nothing was. Kafka's time begins in 1970."""
        return self._offsets(list(places), OffsetSpec.for_timestamp(max(0, milliseconds)))

    def configurations(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        """How each topic is configured; empty where we may not know."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
        found: dict[str, dict[str, str]] = {}
        with _told():
            for resource, future in self._admin.describe_configs(resources).items() if resources else ():
                try:
                    entries = future.result(_SECONDS)
                except KafkaException:
                    entries = {}
                found[resource.name] = {name: str(entry.value) for name, entry in entries.items()}
        return found

    def groups(self, only: Sequence[str] = ()) -> list[Group]:
        """All groups, or those named. Raises NotConnected where one is unknown, and where none is seen: that is no
        sign of everything being well."""
        with _told():
            known = sorted(found.group_id for found in self._result(self._admin.list_consumer_groups()).valid)
            if unknown := [name for name in only if name not in known]:
                there = ", ".join(known) or "none"
                raise NotConnected(f"there is no group {', '.join(unknown)}; there are: {there}")
            names = list(only or known)
            if not names:
                raise NotConnected(f"Kafka shows no consumer group: nobody has read yet, or {UNSEEN}")
            told = self._admin.describe_consumer_groups(names, request_timeout=_SECONDS)
            asked = {n: self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(n)])[n] for n in names}
            return [self._group(name, self._result(told[name]), self._result(asked[name])) for name in names]

    def consumer(self, **options: object) -> Consumer:
        """A reader that joins no group and commits nothing."""
        alone = {"group.id": f"outrider.cli.{uuid.uuid4().hex[:8]}", "enable.auto.commit": False}
        quick = {"fetch.wait.max.ms": 50, "enable.partition.eof": True, "isolation.level": "read_committed"}
        return Consumer({**self._kafka, **alone, **quick, **options})

    def _group(self, name: str, described: object, offsets: object) -> Group:
        committed: dict[Place, int | None] = {}
        members = []
        for member in described.members:  # type: ignore[attr-defined]  # confluent's own types stop here
            assigned = member.assignment.topic_partitions if member.assignment else []
            members.append((member.client_id, member.host.lstrip("/"), len(assigned)))
            committed |= {(part.topic, part.partition): None for part in assigned}
        for part in offsets.topic_partitions:  # type: ignore[attr-defined]
            committed[part.topic, part.partition] = part.offset if part.offset >= 0 else None
        return Group(name, described.state.name.lower(), tuple(members), committed)  # type: ignore[attr-defined]

    def _offsets(self, places: Sequence[Place], spec: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        asked = {TopicPartition(topic, number): spec for topic, number in places}
        level = IsolationLevel.READ_COMMITTED
        with _told():
            told = self._admin.list_offsets(asked, isolation_level=level, request_timeout=_SECONDS)
            return {(part.topic, part.partition): self._result(future).offset for part, future in told.items()}

    @staticmethod
    def _result(future: "Future[T]") -> T:
        return future.result(_SECONDS)


def expected(topics: Iterable[str]) -> dict[str, registry.TopicSpec]:
    """What the registry says of the shared topics, and of the topics of the teams that *topics* speak of."""
    specs = {spec.name: spec for spec in registry.SHARED}
    for team in sorted({team for name in topics if (team := registry.team_of_topic(name))}):
        specs |= {spec.name: spec for spec in registry.team_topics(team)}
    return specs


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        reason = error.args[0]
        if reason.name() in ("_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"):
            raise NotConnected(f"Kafka does not answer ({reason.name()}); see `outrider status`") from None
        if "AUTHORIZATION" in reason.name():
            hint = "grant the operator's rights with `outrider topics apply`"
            raise NotConnected(f"Kafka refused ({reason.str()}); {hint}") from None
        raise NotConnected(f"Kafka refused: {reason.str()}") from None
    except TimeoutError:
        raise NotConnected(f"Kafka gave no answer in {_SECONDS:.0f} s; see `outrider status`") from None
