"""Reading a whole topic as it is now."""

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition
from outrider_local.errors import StackError


@dataclass(frozen=True)
class Said:
    """One record of a topic."""

    key: str
    headers: Mapping[str, str]
    value: bytes
    timestamp_ms: int


def said(kafka: Mapping[str, str], topic: str) -> list[Said]:
    """Every record the topic holds now, partition by partition. Raises StackError where it can't be read."""
    consumer = Consumer({**kafka, "group.id": "outrider.reader", "enable.auto.commit": False, "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        bounds = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 10) for number in partitions}
        left = {number for number, (low, high) in bounds.items() if low < high}
        consumer.assign([TopicPartition(topic, number, bounds[number][0]) for number in left])
        found = []
        while left:
            message = consumer.poll(10)
            if message is None or message.error() is not None:
                raise StackError(f"{topic} could not be read: {message.error() if message else 'no answer in 10 s'}")
            headers = {
                name: value.decode(errors="replace") if isinstance(value, bytes) else value or ""
                for name, value in dict(message.headers() or []).items()
            }
            key = (message.key() or b"").decode(errors="replace")
            found.append(Said(key, headers, message.value() or b"", message.timestamp()[1]))
            partition, offset = message.partition(), message.offset()
            if partition is not None and offset is not None and offset + 1 >= bounds[partition][1]:
                left.discard(partition)
        return found
    finally:
        consumer.close()
