"""Spans of the bus: one trace from a fact to the last one it caused, and nothing of what facts or errors say in it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from outrider_bus import telemetry
from outrider_bus.memory.bus import MemoryBus
from outrider_bus.ports import Begin, Heard, RefusedError, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey
from outrider_contracts.tenants import AuditRecorded
from outrider_contracts.tracing import run_traceparent

AT = datetime(2026, 11, 1, tzinfo=UTC)
TOPIC = RunFinished.topic
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARY = "canary-7f3a"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.trace_with(provider.get_tracer("test"))
    yield exporter
    telemetry.trace_with(None)


def finished(run_id: str) -> RunFinished:
    return RunFinished(
        run=RunKey(team="ads", dag_id="daily", run_id=run_id), run_started_at=AT, state="success", finished_at=AT
    )


async def answer(heard: Heard[Event], tx: Tx) -> None:
    resource = heard.envelope.id
    await tx.say(AuditRecorded(team="ads", actor=CANARY, action="hear", resource=resource, at=AT), cause=heard)


def hearing_in_lanes(bus: MemoryBus) -> None:
    async def handle(heard: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await answer(heard, tx)

    bus.lanes(group="g", topics=[TOPIC], handlers={RunFinished: handle}, lane=lambda event: event.key())


def hearing_in_batches(bus: MemoryBus) -> None:
    async def handle(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        for heard in facts:
            await answer(heard, tx)

    bus.batches(group="g", topics=[TOPIC], types=[RunFinished], handler=handle)


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def named(exported: InMemorySpanExporter, beginning: str) -> list[ReadableSpan]:
    return [span for span in exported.get_finished_spans() if span.name.startswith(beginning)]


def said_traces(bus: MemoryBus) -> list[str]:
    return [dict(row.headers)["traceparent"].decode() for row in bus.records(AuditRecorded.topic)]  # type: ignore[union-attr]


@pytest.mark.parametrize("hearing", [hearing_in_lanes, hearing_in_batches])
async def test_what_a_record_causes_goes_on_in_its_trace(exported: InMemorySpanExporter, hearing: object) -> None:
    bus = MemoryBus()
    assert callable(hearing)
    hearing(bus)

    await bus.deliver(finished("r1"), traceparent=GIVEN)

    [processed], [created] = named(exported, f"process {RunFinished.type}"), named(exported, "create ")
    assert processed.parent is not None
    assert created.parent is not None
    assert processed.context is not None
    assert GIVEN[3:52] == f"{trace_id(processed)}-{processed.parent.span_id:016x}"
    assert (trace_id(created), created.parent.span_id) == (trace_id(processed), processed.context.span_id)
    assert created.context is not None
    assert said_traces(bus) == [f"00-{trace_id(created)}-{created.context.span_id:016x}-01"]
    assert processed.attributes is not None
    assert processed.attributes["messaging.destination.name"] == TOPIC
    assert processed.attributes["outrider.team"] == "ads"
    assert run_traceparent("ads/daily/r1")[3:35] in [f"{link.context.trace_id:032x}" for link in processed.links]


async def test_a_batch_is_linked_to_its_records_and_each_goes_on_in_its_own_trace(
    exported: InMemorySpanExporter,
) -> None:
    bus = MemoryBus()
    hearing_in_batches(bus)
    runs = [finished(f"r{n}") for n in range(3)]

    await bus.deliver(*runs)

    [batch] = named(exported, "process batch of g")
    expected = [run_traceparent(run.run.record_key)[3:35] for run in runs]
    assert [f"{link.context.trace_id:032x}" for link in batch.links] == expected
    assert [trace_id(span) for span in named(exported, f"process {RunFinished.type}")] == expected
    assert [said[3:35] for said in said_traces(bus)] == expected
    assert trace_id(batch) not in expected


async def test_a_failure_and_a_refusal_are_told_by_their_kind_alone(exported: InMemorySpanExporter) -> None:
    bus = MemoryBus(tries=1)

    async def handle(heard: Heard[Event], begin: Begin) -> None:
        raise (RefusedError if heard.event.key().endswith("no") else ValueError)(CANARY)

    bus.lanes(group="g", topics=[TOPIC], handlers={RunFinished: handle}, lane=lambda event: event.key())

    await bus.deliver(finished("no"), finished("broken"))

    refused, failed = named(exported, "process ")
    assert refused.attributes is not None
    assert failed.attributes is not None
    assert (refused.attributes["error.type"], refused.status.status_code) == ("RefusedError", StatusCode.UNSET)
    assert (failed.attributes["error.type"], failed.status.status_code) == ("ValueError", StatusCode.ERROR)
    assert CANARY not in "".join(span.to_json() for span in exported.get_finished_spans())


async def test_spans_say_nothing_of_what_facts_say(exported: InMemorySpanExporter) -> None:
    bus = MemoryBus()
    hearing_in_lanes(bus)

    await bus.deliver(finished("r1"))

    assert bus.records(AuditRecorded.topic)
    assert CANARY not in "".join(span.to_json() for span in exported.get_finished_spans())


async def test_without_a_tracer_facts_carry_their_causes_trace_all_the_same() -> None:
    bus = MemoryBus()
    hearing_in_lanes(bus)

    await bus.deliver(finished("r1"), traceparent=GIVEN)
    await bus.deliver(finished("r2"))

    assert said_traces(bus) == [GIVEN, run_traceparent("ads/daily/r2")]


async def test_what_no_record_caused_is_told_in_the_trace_of_its_run(exported: InMemorySpanExporter) -> None:
    bus = MemoryBus()
    fact = finished("r1")

    async with bus.database.begin() as tx:
        await tx.say(fact)
    with telemetry.effect("remove version", fact.run.record_key, path="ads/x/y"):
        async with bus.database.begin() as tx:
            await tx.say(finished("r1").model_copy(update={"clear_number": 1}))

    spans = exported.get_finished_spans()
    assert {trace_id(span) for span in spans} == {run_traceparent("ads/daily/r1")[3:35]}
    [effect] = named(exported, "remove version")
    assert effect.context is not None
    assert [s.parent.span_id for s in named(exported, "create ") if s.parent][1] == effect.context.span_id
