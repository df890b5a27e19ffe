"""Spans of what is heard, said and sent: one trace through all records, handed on by W3C `traceparent`.

No span is made until `trace_with` names a tracer. Spans carry names, ids and places, never what a fact says nor an
error's words: they are read by others than those it is meant for.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from outrider_contracts.event import Event
from outrider_contracts.tracing import run_traceparent

from outrider_bus.inbox import AlreadyDone
from outrider_bus.ports import Heard, RefusedError
from outrider_bus.records import OutboxRow

_W3C = TraceContextTextMapPropagator()
_tracer: Tracer | None = None


def trace_with(tracer: Tracer | None) -> None:
    """Make spans with *tracer* from now on; None: make none."""
    global _tracer
    _tracer = tracer


def current() -> str:
    """The `traceparent` of the span that surrounds the caller; "" where there is none."""
    return _spelt(get_current_span())


def processing(group: str, heard: Heard[Event]) -> AbstractContextManager[Heard[Event]]:
    """Surrounds the handling of one record; what is said with the given fact as its cause goes on in its trace."""
    return nullcontext(heard) if _tracer is None else _processing(_tracer, group, heard)


def processing_batch(group: str, facts: Sequence[Heard[Event]]) -> AbstractContextManager[Sequence[Heard[Event]]]:
    """The same for a batch: a span of its own with a link to each record, and one for each in the record's trace."""
    return nullcontext(facts) if _tracer is None else _processing_batch(_tracer, group, facts)


def said(event: Event, parent: str) -> str:
    """The `traceparent` that *event* leaves with, as a child of *parent*."""
    return parent if _tracer is None else _created(_tracer, event.type, event.topic, _of_event(event, event.id), parent)


def said_raw(topic: str, id: str, parent: str) -> str:
    """The same for a record that is no event of ours."""
    return parent if _tracer is None else _created(_tracer, topic, topic, {"messaging.message.id": id}, parent)


def sent(row: OutboxRow, acknowledged: "asyncio.Future[Any]") -> "asyncio.Future[Any]":
    """A span that lasts until Kafka has acknowledged *row* (or has not)."""
    if _tracer is None:
        return acknowledged
    found = next((v for n, v in row.headers if n == "traceparent" and v), b"")
    if parent := found.decode(errors="replace"):  # a dead letter's is whatever its writer put there
        attributes = {"messaging.message.id": row.id, **_kafka("send", row.topic)}
        span = _tracer.start_span(f"send {row.topic}", _context(parent), SpanKind.CLIENT, attributes)

        def end(future: "asyncio.Future[Any]") -> None:
            if not future.cancelled() and (error := future.exception()):
                _failed(span, error)
            span.end()

        acknowledged.add_done_callback(end)
    return acknowledged


def effect(name: str, run: str, **attributes: str) -> AbstractContextManager[object]:
    """Surrounds work that no record and no request brought about, in the trace of *run* (its record key)."""
    if _tracer is None:
        return nullcontext()
    about = {"outrider.team": run.split("/", 1)[0], **{f"outrider.{key}": value for key, value in attributes.items()}}
    return _span(_tracer, name, SpanKind.INTERNAL, run_traceparent(run), about)


def _created(tracer: Tracer, what: str, topic: str, about: dict[str, Any], parent: str) -> str:
    span = tracer.start_span(f"create {what}", _context(parent), SpanKind.PRODUCER, about | _kafka("create", topic))
    span.end()
    return _spelt(span)


@contextmanager
def _processing(tracer: Tracer, group: str, heard: Heard[Event]) -> Iterator[Heard[Event]]:
    name, about, parent = f"process {heard.envelope.type}", _of_record(group, heard), heard.envelope.traceparent
    with _span(tracer, name, SpanKind.CONSUMER, parent, about, _to_run(heard)) as span:
        yield _continued(heard, span)


@contextmanager
def _processing_batch(tracer: Tracer, group: str, facts: Sequence[Heard[Event]]) -> Iterator[Sequence[Heard[Event]]]:
    links = [_link(fact.envelope.traceparent) for fact in facts]
    about = {"messaging.consumer.group.name": group, "messaging.batch.message_count": len(facts)}
    about |= _kafka("process", facts[0].origin.topic)
    with _span(tracer, f"process batch of {group}", SpanKind.CONSUMER, "", about, links) as batch:
        link = [Link(batch.get_span_context())]
        spans = [
            tracer.start_span(
                f"process {fact.envelope.type}", _context(fact.envelope.traceparent), SpanKind.CONSUMER,
                _of_record(group, fact), [*link, *_to_run(fact)],
            )
            for fact in facts
        ]  # fmt: skip
        try:
            yield [_continued(fact, span) for fact, span in zip(facts, spans, strict=True)]
        except BaseException as error:
            for span in spans:
                _failed(span, error)
            raise
        finally:
            for span in spans:
                span.end()


@contextmanager
def _span(
    tracer: Tracer, name: str, kind: SpanKind, parent: str, about: dict[str, Any], links: Sequence[Link] = ()
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name, _context(parent), kind, about, links, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            _failed(span, error)
            raise


def _failed(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    if not isinstance(error, RefusedError | AlreadyDone):  # a refusal is an answer
        span.set_status(StatusCode.ERROR)


def _context(traceparent: str) -> Context:
    return _W3C.extract({"traceparent": traceparent}, Context())


def _link(traceparent: str) -> Link:
    return Link(get_current_span(_context(traceparent)).get_span_context())


def _to_run(heard: Heard[Event]) -> list[Link]:
    """Where Airflow began the trace: the way to the run's own, in which removals are told, for instance."""
    own = run_traceparent(heard.event.traced_run())
    return [_link(own)] if own and own[3:35] != heard.envelope.traceparent[3:35] else []


def _spelt(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" if context.is_valid else ""


def _continued(heard: Heard[Event], span: Span) -> Heard[Event]:
    return replace(heard, envelope=replace(heard.envelope, traceparent=_spelt(span)))


def _of_record(group: str, heard: Heard[Event]) -> dict[str, Any]:
    return {
        **_of_event(heard.event, heard.envelope.id),
        **_kafka("process", heard.origin.topic),
        "messaging.consumer.group.name": group,
        "messaging.destination.partition.id": str(heard.origin.partition),
        "messaging.kafka.offset": heard.origin.offset,
        "outrider.replayed": heard.replayed,
    }


def _of_event(event: Event, event_id: str) -> dict[str, Any]:
    return {"messaging.message.id": event_id, "outrider.team": event.team_id()}


def _kafka(operation: str, topic: str) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
    }
