"""What a dead letter looks like: the untouched record, and headers that say where it lay and why it was given up."""

from dataclasses import dataclass
from datetime import datetime

from outrider_bus.records import OutboxRow, RawRecord

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Why:
    """Why a record was given up: `stage` is headers, value, validate, decode, handle or a decoder's own word."""

    stage: str
    reason: str
    attempts: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", cleaned(self.reason))


def cleaned(reason: str) -> str:
    """A reason as logs, headers and the database can take it: it may quote what came from outside."""
    return reason[:_LONGEST_REASON].encode(errors="replace").decode().replace("\0", "\\0")


def dead_letter(record: RawRecord, why: Why, *, topic: str, group: str) -> OutboxRow:
    """The record for the dead-letter topic: key, value and headers byte for byte, `dlq-…` headers behind them."""
    added = {
        "dlq-group": group,
        "dlq-origin-topic": record.topic,
        "dlq-origin-partition": str(record.partition),
        "dlq-origin-offset": str(record.offset),
        "dlq-origin-timestamp": record.timestamp.isoformat(),
        "dlq-stage": why.stage,
        "dlq-reason": why.reason,
        "dlq-attempts": str(why.attempts),
    }
    headers = record.headers + tuple((name, text.encode(errors="replace")) for name, text in added.items())
    id = f"{group}:{record.origin}@{added['dlq-origin-timestamp']}"  # a topic made anew begins anew with its offsets
    return OutboxRow(topic, id, record.key, record.value, headers)


@dataclass(frozen=True)
class Letter:
    """A dead letter taken apart: whose it is, the record as it was, and why it was given up."""

    group: str
    record: RawRecord
    why: Why


def open_letter(letter: RawRecord) -> Letter:
    """The inverse of `dead_letter`. Raises ValueError for a record of the topic that is none."""
    names = [name for name, _ in letter.headers]
    if "dlq-group" not in names:
        raise ValueError(f"{letter.origin} is no dead letter: it says no group")
    ours = len(names) - 1 - names[::-1].index("dlq-group")  # behind the record's own, whatever these are called
    said = {name: (value or b"").decode(errors="replace") for name, value in letter.headers[ours:]}
    try:
        record = RawRecord(
            said["dlq-origin-topic"], int(said["dlq-origin-partition"]), int(said["dlq-origin-offset"]),
            datetime.fromisoformat(said["dlq-origin-timestamp"]), letter.key, letter.value, letter.headers[:ours],
        )  # fmt: skip
        return Letter(said["dlq-group"], record, Why(said["dlq-stage"], said["dlq-reason"], int(said["dlq-attempts"])))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{letter.origin} is no dead letter: {error!r}") from None
