"""What Kafka's retention removed before a group had read it: it is gone, and must not go unseen."""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka import TopicPartition


async def removed_unread(consumer: Any, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """How many offsets of each of *partitions* lie between the group's commit and what is kept; none are left out.

    Asked before anything is read, for the client starts over at what is kept without a word. Raises KafkaError.
    """
    kept = await consumer.beginning_offsets(partitions)
    commits = await asyncio.gather(*map(consumer.committed, kept))
    behind = {p: first - commit for (p, first), commit in zip(kept.items(), commits, strict=True) if commit is not None}
    return {p: count for p, count in behind.items() if count > 0}
