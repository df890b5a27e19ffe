"""The part of `Tx` that makes rows for the outbox of what is said. No I/O."""

from outrider_contracts import topics
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.tracing import run_traceparent

from outrider_bus import telemetry
from outrider_bus.ports import Heard
from outrider_bus.records import OutboxRow


class Outgoing:
    """Collects what one transaction says, in order; `cause` is what it answers unless a call names another."""

    def __init__(self, source: str, cause: Heard[Event] | None = None) -> None:
        self.rows: list[OutboxRow] = []
        self._source = source
        self._cause = cause

    async def say(self, *events: Event, cause: Heard[Event] | None = None, team_copies: bool = False) -> None:
        because = cause or self._cause
        causation, parent = (because.envelope.id, because.envelope.traceparent) if because else ("", "")
        parent = parent or telemetry.current()
        for event in events:
            trace = telemetry.said(event, parent or run_traceparent(event.traced_run()))
            record = encode(event, source=self._source, causationid=causation, traceparent=trace)
            for topic in [record.topic, *([topics.team_events(event.team_id())] if team_copies else [])]:
                self.put(OutboxRow(topic, record.id, record.key.encode(), record.value, record.headers))

    async def say_raw(self, topic: str, key: str, value: bytes, headers: dict[str, str], id: str) -> None:
        if parent := headers.get("traceparent"):
            headers = {**headers, "traceparent": telemetry.said_raw(topic, id, parent)}
        spelt = tuple((name, text.encode()) for name, text in headers.items())
        self.put(OutboxRow(topic, id, key.encode(), value, spelt))

    def put(self, row: OutboxRow) -> None:
        """Put a ready record among the others."""
        self.rows.append(row)
