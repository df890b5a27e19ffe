"""When the records at given offsets were said: each partition is read just far enough to see one."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from confluent_kafka import TopicPartition

from outrider_cli.events_broker import Broker, Place

_SECONDS = 10.0
_LAST_INSTANT = 253_402_300_799_000
"""End of the year 9999 in ms: a timestamp is whatever its writer says."""


def moment(milliseconds: int) -> datetime:
    """A record's timestamp, whatever its writer put there."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_INSTANT) / 1000, UTC)


def times_at(broker: Broker, offsets: Mapping[Place, int]) -> dict[Place, datetime]:
    """For each partition the time of the first record at that offset or behind it; absent where none is seen."""
    found: dict[Place, datetime] = {}
    left = set(offsets)
    if not left:
        return found
    consumer = broker.consumer(**{"max.partition.fetch.bytes": 16_384, "queued.max.messages.kbytes": 4096})
    try:
        consumer.assign([TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()])
        deadline = time.monotonic() + _SECONDS
        while left and time.monotonic() < deadline:
            for message in consumer.consume(100, 0.2):
                place = (message.topic() or "", message.partition() or 0)
                if place not in left:
                    continue
                if message.error() is None:
                    found[place] = moment(message.timestamp()[1])
                left.discard(place)
                consumer.pause([TopicPartition(*place)])
    finally:
        consumer.close()
    return found
