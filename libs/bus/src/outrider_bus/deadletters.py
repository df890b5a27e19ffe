"""What a dead letter looks like: the untouched record, and headers that say where it lay and why it was given up."""

from dataclasses import dataclass

from outrider_bus.outgoing import OutboxRow
from outrider_bus.records import RawRecord

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Why:
    """Why a record was given up: `stage` is headers, value, validate, decode, handle or a decoder's own word."""

    stage: str
    reason: str
    attempts: int = 1


def dead_letter(record: RawRecord, why: Why, *, topic: str, group: str) -> OutboxRow:
    """The record for the dead-letter topic: key, value and headers byte for byte, `dlq-…` headers behind them."""
    added = {
        "dlq-group": group,
        "dlq-origin-topic": record.topic,
        "dlq-origin-partition": str(record.partition),
        "dlq-origin-offset": str(record.offset),
        "dlq-origin-timestamp": record.timestamp.isoformat(),
        "dlq-stage": why.stage,
        "dlq-reason": why.reason[:_LONGEST_REASON],
        "dlq-attempts": str(why.attempts),
    }
    headers = record.headers + tuple((name, text.encode(errors="replace")) for name, text in added.items())
    return OutboxRow(topic, f"{group}:{record.origin}", record.key, record.value, headers)


def inbox_id(record: RawRecord) -> str:
    """The inbox key of a record that has no readable id of its own."""
    return f"@{record.partition}/{record.offset}"
