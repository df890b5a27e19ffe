"""CloudEvents 1.0 over Kafka in binary mode: attributes in `ce_*` headers, the value is the JSON data alone.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from outrider_contracts.event import Event
from outrider_contracts.events import event_type
from outrider_contracts.tracing import run_traceparent

_TRACEPARENT = re.compile(rb"[0-9a-f-]{1,128}")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
Headers = Sequence[tuple[str, bytes]]
_ATTRIBUTES = frozenset({"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_causationid"})


class UndecodableError(ValueError):
    """The record can't be read; `stage` says where: headers, value or validate."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


@dataclass(frozen=True)
class Envelope:
    """The attributes of one said fact."""

    id: str
    type: str
    source: str
    time: datetime | None = None
    subject: str = ""
    causationid: str = ""
    traceparent: str = ""


@dataclass(frozen=True)
class Record:
    """A fact as it goes to Kafka."""

    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = field(default=())
    id: str = ""
    """The fact's id, for those who keep it beside the record."""


def encode(event: Event, *, source: str, causationid: str = "", traceparent: str = "") -> Record:
    """Spell *event* for Kafka. Equal events give equal ids and equal values, whoever spells them.

    Without a *traceparent* a fact of a run is told in the run's own trace.
    """
    key, event_id = event.key(), event.id
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": event.type,
        "ce_source": source,
        "ce_subject": key,
        "content-type": "application/json",
    }
    occurred = event.occurred_at()
    if occurred is not None:
        attributes["ce_time"] = occurred.isoformat().replace("+00:00", "Z")
    if causationid:
        attributes["ce_causationid"] = causationid
    if trace := traceparent or run_traceparent(event.traced_run()):
        attributes["traceparent"] = trace
    headers = tuple((name, value.encode()) for name, value in attributes.items())
    return Record(event.topic, key, event.model_dump_json(by_alias=True).encode(), headers, event_id)


def open_envelope(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Read the attributes. Raises UndecodableError where required ones are absent or no UTF-8."""
    found: dict[str, str] = {}
    try:
        for name, value in headers:
            if name not in _ATTRIBUTES and (name := name.lower()) not in _ATTRIBUTES:
                if name == "traceparent" and value and _TRACEPARENT.fullmatch(value):
                    found[name] = value.decode()
            elif value is not None and (text := value.decode()) != found.setdefault(name, text):
                raise UndecodableError("headers", f"{name} is there twice, with different values")
    except UnicodeDecodeError as error:
        raise UndecodableError("headers", f"{name} is not UTF-8: {error}") from None
    if not (found.get("ce_id") and found.get("ce_type") and found.get("ce_source")):
        missing = [name for name in ("ce_id", "ce_type", "ce_source") if not found.get(name)]
        raise UndecodableError("headers", f"missing {', '.join(missing)}")
    if found.get("ce_specversion") != "1.0":
        raise UndecodableError("headers", f"ce_specversion is {found.get('ce_specversion')!r}, not '1.0'")
    try:
        time = datetime.fromisoformat(found["ce_time"]) if "ce_time" in found else None
    except ValueError:
        raise UndecodableError("headers", f"ce_time {found['ce_time']!r} is no timestamp") from None
    if time is not None and time.tzinfo is None:
        raise UndecodableError("headers", f"ce_time {found['ce_time']!r} has no time zone")
    return Envelope(
        id=found["ce_id"],
        type=found["ce_type"],
        source=found["ce_source"],
        time=time,
        subject=found.get("ce_subject", ""),
        causationid=found.get("ce_causationid", ""),
        traceparent=found.get("traceparent", ""),
    )


def decode(envelope: Envelope, value: bytes | None) -> Event | None:
    """Read the fact; None for a type this version does not know. Raises UndecodableError for anything malformed.

    Open when read: fields a newer writer added are dropped, also where a model is closed for those who write it.
    """
    kind = event_type(envelope.type)
    if kind is None:
        return None
    if value is None:
        raise UndecodableError("value", "the record has no value")
    try:
        event = kind.model_validate_json(value, extra="ignore")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'value'}: {e['msg']}" for e in found[:5])
        raise UndecodableError("value" if found[0]["type"] == "json_invalid" else "validate", faults) from None
    if b"\\u0000" in value and _NUL.search(event.model_dump_json().encode()):
        raise UndecodableError("validate", "a text holds NUL, which no database takes")
    return event
