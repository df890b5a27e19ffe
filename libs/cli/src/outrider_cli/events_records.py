"""Records as a person or a program is shown them: read as far as possible, harmless to a terminal in any case."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from confluent_kafka import Message
from outrider_contracts.envelope import UndecodableError, decode, open_envelope
from outrider_contracts.topics import team_concerned
from rich.text import Text

from outrider_cli.events_format import visible
from outrider_cli.events_times import moment

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True)
class Shown:
    """One record of any topic."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def origin(self) -> str:
        """Where it lies."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def type(self) -> str:
        """Its event type, as its header says it."""
        return self.header("ce_type")

    @property
    def team(self) -> str:
        """The team it concerns, "" where it names none."""
        return team_concerned(self.topic, self.key) or ""

    @property
    def fault(self) -> str:
        """Why the present contract can't read it; "" where it can, or where it is no event of ours."""
        if not any(name.lower().startswith("ce_") for name, _ in self.headers):
            return ""
        try:
            decode(open_envelope(self.headers), self.value)
        except UndecodableError as error:
            return f"{error.stage}: {error}"
        return ""

    def header(self, name: str) -> str:
        """The last header of that name, "" where there is none."""
        found = [value for spelt, value in self.headers if spelt.lower() == name]
        return (found[-1] or b"").decode(errors="replace") if found else ""


def shown(message: Message) -> Shown:
    """What the client read. A header it can't spell leaves the record without headers rather than unread."""
    try:
        headers: Any = message.headers() or []
    except (UnicodeDecodeError, SystemError):
        headers = [("(header names are no UTF-8)", None)]
    key, value = message.key(), message.value()
    return Shown(
        message.topic() or "", message.partition() or 0, message.offset() or 0, moment(message.timestamp()[1]),
        key.encode() if isinstance(key, str) else key, value.encode() if isinstance(value, str) else value,
        tuple((name, raw.encode() if isinstance(raw, str) else raw) for name, raw in headers),
    )  # fmt: skip


def matches(record: Shown, *, team: str | None, type_: str | None, key: str | None) -> bool:
    """Whether it is one of those asked for; type and key may hold `*` and `?`."""
    spelt = (record.key or b"").decode(errors="replace")
    return (
        (team is None or record.team == team)
        and (type_ is None or fnmatchcase(record.type, type_))
        and (key is None or fnmatchcase(spelt, key))
    )


def as_json(record: Shown) -> dict[str, Any]:
    """For programs: text as text, JSON as JSON, everything else as {"base64": …}."""
    return {
        "topic": record.topic, "partition": record.partition, "offset": record.offset, "at": record.at.isoformat(),
        "key": _plain(record.key), "type": record.type, "team": record.team, "fault": record.fault,
        "headers": [[name, _plain(value)] for name, value in record.headers], "value": _value(record.value),
    }  # fmt: skip


def as_text(record: Shown) -> Text:
    """For people: a line that says what and whose, and the value below it."""
    said = Text()
    said.append(f"{record.at:%Y-%m-%d %H:%M:%S}  ", "dim")
    said.append(visible(record.type.removeprefix("outrider.")) or "no type", "bold cyan")
    said.append(f"  {visible(record.key)}", "green")
    said.append(f"  {visible(record.origin)}\n", "dim")
    if record.fault:
        said.append(f"  unreadable, {visible(record.fault)}\n", "red")
    said.append(f"  {value_text(record.value)}")
    return said


def value_text(value: bytes | None, *, indent: int | None = None) -> str:
    """JSON as JSON (over several lines where *indent* says so), text as text, bytes escaped."""
    if value is None:
        return "(no value)"
    try:
        spelt = json.dumps(json.loads(value), ensure_ascii=False, indent=indent)
    except (ValueError, RecursionError):
        return visible(value)
    return "\n".join(visible(line) for line in spelt.splitlines())


def hex_lines(value: bytes) -> str:
    """Sixteen bytes per line: where they lie, in hexadecimal, and as text."""
    parts = [(at, value[at : at + 16]) for at in range(0, len(value), 16)]
    return "\n".join(
        f"{at:08x}  {part.hex(' '):<47}  {''.join(chr(b) if 32 <= b < 127 else '.' for b in part)}"
        for at, part in parts
    )


def _value(value: bytes | None) -> Any:
    try:
        return json.loads(value) if value is not None else None
    except (ValueError, RecursionError):
        return _plain(value)


def _plain(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}
