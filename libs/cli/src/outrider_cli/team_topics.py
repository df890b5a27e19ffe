"""The onboarding topic and the status topic as the CLI reads and writes them, under the operator's principal."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from outrider_contracts.envelope import UndecodableError, decode, encode, open_envelope
from outrider_contracts.tenants import TeamDesired, TeamStatus

from outrider_cli.connection import NotConnected

_SECONDS = 20.0


class TeamTopics(AbstractContextManager["TeamTopics"]):
    """Both topics read from their beginning; `desired` and `status` hold the newest of each team."""

    def __init__(self, kafka: Mapping[str, str]) -> None:
        self._kafka = {**kafka, "client.id": "outrider-cli", "log_level": 0}
        group = {"group.id": f"outrider.cli.{uuid.uuid4().hex[:8]}", "enable.auto.commit": False}
        self._consumer = Consumer({**self._kafka, **group, "enable.partition.eof": True, "fetch.wait.max.ms": 100})
        self.desired: dict[str, TeamDesired] = {}
        self.status: dict[str, TeamStatus] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self._consumer.close()

    def read_to_end(self) -> None:
        """Take in all that is there now. Raises NotConnected."""
        topics = (TeamDesired.topic, TeamStatus.topic)
        try:
            known = {topic: self._consumer.list_topics(topic, timeout=_SECONDS).topics[topic] for topic in topics}
        except KafkaException as error:
            raise NotConnected(f"Kafka does not answer ({error.args[0].name()}); see `outrider status`") from None
        for topic, found in known.items():
            if found.error is not None:
                raise NotConnected(f"topic {topic}: {found.error.name()}; make it with `outrider topics apply`")
        parts = [TopicPartition(t, p, OFFSET_BEGINNING) for t, found in known.items() for p in found.partitions]
        self._consumer.assign(parts)
        left = {(part.topic, part.partition) for part in parts}
        deadline = time.monotonic() + _SECONDS
        while left:
            if time.monotonic() > deadline:
                raise NotConnected("Kafka gave no end of the tenants' topics in time; see `outrider status`")
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            fault = message.error()
            if fault is None:
                self._take(message)
            elif fault.code() == KafkaError._PARTITION_EOF:
                left.discard((message.topic(), message.partition()))
            else:
                raise NotConnected(f"Kafka refused to read {message.topic()}: {fault.name()}")

    def send(self, desired: Sequence[TeamDesired]) -> None:
        """Say what is wanted, each acknowledged. Raises NotConnected naming what was not taken."""
        failed: list[str] = []
        producer = Producer({**self._kafka, "acks": "all", "message.timeout.ms": int(_SECONDS * 1000)})

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(f"{_key(message)}: {error.name()}")

        for event in desired:
            record = encode(event, source="/outrider/cli")
            headers: list[tuple[str, str | bytes | None]] = [*record.headers]
            producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=delivered)
        left = producer.flush(_SECONDS)
        if failed or left:
            raise NotConnected("Kafka did not take " + ("; ".join(failed) or f"{left} records in time"))

    def changes(self, until: float) -> Iterator[TeamStatus | None]:
        """Statuses as they arrive, None now and then while there are none; ends at *until* (monotonic)."""
        while time.monotonic() < until:
            message = self._consumer.poll(0.2)
            if message is None or message.error() is not None:
                yield None
            else:
                taken = self._take(message)
                yield taken if isinstance(taken, TeamStatus) else None

    def _take(self, message: Message) -> TeamDesired | TeamStatus | None:
        key = _key(message)
        if message.value() is None:
            self.desired.pop(key, None)
            return None
        try:
            event = decode(open_envelope(_headers(message)), message.value())
        except UndecodableError:
            return None  # tenancy puts it with the dead letters
        if isinstance(event, TeamDesired):
            self.desired[event.team] = event
            return event
        if isinstance(event, TeamStatus):
            self.status[event.team] = event
            return event
        return None


def _key(message: Message) -> str:
    key = message.key() or b""
    return key if isinstance(key, str) else key.decode(errors="replace")


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    return cast("list[tuple[str, bytes | None]]", message.headers() or [])
