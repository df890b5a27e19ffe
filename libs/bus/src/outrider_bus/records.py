"""A record as it lies in Kafka, or soon will, and how it becomes a fact. Bytes stay as they are until judged."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from outrider_contracts.envelope import Envelope, UndecodableError, decode, open_envelope
from outrider_contracts.event import Event
from outrider_contracts.topics import team_of_topic

from outrider_bus.ports import Heard, Origin

RawHeaders = tuple[tuple[str, bytes | None], ...]
_LONGEST_ID = 512
"""An inbox key has to fit a btree page; nobody who means well says a longer id."""
_LAST_INSTANT = 253_402_300_799_000
"""End of the year 9999 in ms: a timestamp is whatever its writer says."""


class RawRecord(NamedTuple):
    """One record, untouched. Headers may repeat, be null, or hold bytes that are no text."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: RawHeaders = ()

    @property
    def origin(self) -> Origin:
        """Where it lies."""
        return Origin(self.topic, self.partition, self.offset, self.timestamp)

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return sizes(self.key, self.value, self.headers)

    @property
    def owner(self) -> str:
        """Who takes turns with others, told without decoding: the topic's team, else the one that the key begins
        with, else the topic. In its own topic a team may write any key, and has one turn all the same."""
        if team := _team_of(self.topic):
            return team
        return self.key.split(b"/", 1)[0].decode(errors="replace") if self.key else self.topic


def raw(partition: TopicPartition, record: Any) -> RawRecord:
    """A record as the consumer gives it, as ours."""
    at = datetime.fromtimestamp(min(max(record.timestamp, 0), _LAST_INSTANT) / 1000, UTC)
    headers = tuple(record.headers)
    return RawRecord(partition.topic, partition.partition, record.offset, at, record.key, record.value, headers)


class OutboxRow(NamedTuple):
    """One record on its way out, said once per (topic, id)."""

    topic: str
    id: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


def sizes(key: bytes | None, value: bytes | None, headers: RawHeaders) -> int:
    """Bytes that a record has, of whatever kind."""
    return len(key or b"") + len(value or b"") + sum(len(name) + len(held or b"") for name, held in headers)


_team_of = lru_cache(maxsize=4096)(team_of_topic)

Decoder = Callable[[RawRecord], tuple[Envelope, Event] | None]
"""Reads a record. None: a type this version does not know, counted and skipped. UndecodableError: a dead letter."""


def cloud_event(record: RawRecord) -> tuple[Envelope, Event] | None:
    """Read a fact in CloudEvents binary mode, as all shared topics carry it."""
    envelope = open_envelope(record.headers)
    event = decode(envelope, record.value)
    return None if event is None else (envelope, event)


def read(record: RawRecord, decoder: Decoder) -> Heard[Event] | None:
    """Decode *record* for the runners: whatever a decoder stumbles over comes out as UndecodableError."""
    try:
        decoded = decoder(record)
    except UndecodableError:
        raise
    except Exception as error:  # whatever code of ours stumbles over in bytes from outside
        raise UndecodableError("decode", f"{type(error).__name__}: {error}") from error
    if decoded is None:
        return None
    envelope, event = decoded
    if "\0" in envelope.id or len(envelope.id) > _LONGEST_ID:
        raise UndecodableError("headers", f"the id is longer than {_LONGEST_ID} characters or holds a NUL")
    return Heard(event, envelope, record.origin)


def pack_headers(headers: RawHeaders) -> str:
    """Headers as JSON for the database; what is no text (or holds NUL, which jsonb can't) goes as base64."""
    try:
        texts = [(name, None if value is None else value.decode()) for name, value in headers]
    except UnicodeDecodeError:
        texts = [("\0", None)]
    packed = json.dumps(texts)
    if "\\u0000" in packed:
        packed = json.dumps([(_pack(name.encode()) if "\0" in name else name, _pack(v)) for name, v in headers])
    return packed


def unpack_headers(packed: str) -> RawHeaders:
    """The inverse of `pack_headers`."""
    return tuple(
        (
            name if isinstance(name, str) else base64.b64decode(name["base64"]).decode(),
            value.encode() if isinstance(value, str) else _unpack(value),
        )
        for name, value in json.loads(packed)
    )


def _pack(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    return {"base64": base64.b64encode(value).decode()} if "\0" in text else text


def _unpack(value: dict[str, str] | None) -> bytes | None:
    return None if value is None else base64.b64decode(value["base64"])
