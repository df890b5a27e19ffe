"""One trace over two hops of the real bus, as a collector gets it, and the numbers that are shown of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import asyncpg
import pytest
from outrider_bus import telemetry
from outrider_bus.bus import Bus
from outrider_bus.ports import Begin, Heard, Origin, Tx
from outrider_chassis.metrics import Metrics
from outrider_chassis.tracing import tracer_provider
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import Envelope
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey
from outrider_contracts.tenants import AuditRecorded
from outrider_contracts.tracing import run_traceparent
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.bus.real_world import QUICK, RealWorld, eventually
from tests.otlp import Collector, Seen

AT = datetime(2026, 11, 1, tzinfo=UTC)
CANARY = "canary-2b9e"
BACKLOG_SECONDS = 120.0
"""For a group that hears what all tests before it have said."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        # a group hears thousands of records of other tests first; by default spans beyond 2,048 push the oldest out
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "200000")
        provider = tracer_provider("test")
        assert provider
        telemetry.trace_with(provider.get_tracer("test"))
        yield collector
        telemetry.trace_with(None)
        provider.shutdown()


def finished(world: RealWorld, run_id: str) -> RunFinished:
    run = RunKey(team=world.team, dag_id="daily", run_id=run_id)
    return RunFinished(run=run, run_started_at=AT, state="success", finished_at=AT)


def declare_two_hops(world: RealWorld, heard_last: list[str]) -> None:
    """Lanes hear a run's end and say a second one of it; batches hear that."""

    async def first(heard: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await tx.say(AuditRecorded(team=world.team, actor=CANARY, action="hear", resource=heard.envelope.id, at=AT))

    async def second(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        heard_last.extend(fact.envelope.traceparent for fact in facts if fact.event.team_id() == world.team)

    world.bus.lanes(group=world.group, topics=[world.topic], handlers={RunFinished: first}, lane=lambda e: e.key())
    world.bus.batches(group=f"{world.group}-2", topics=[AuditRecorded.topic], types=[AuditRecorded], handler=second)


async def test_facts_that_cause_one_another_are_one_trace(world: RealWorld, collector: Collector) -> None:
    heard_last: list[str] = []
    declare_two_hops(world, heard_last)
    await world.start()

    await world.deliver(finished(world, "r1"))
    await eventually(lambda: heard_last, seconds=BACKLOG_SECONDS)

    trace = run_traceparent(f"{world.team}/daily/r1")[3:35]
    wanted = [
        f"process {RunFinished.type}", f"create {AuditRecorded.type}", f"send {AuditRecorded.topic}",
        f"process {AuditRecorded.type}",
    ]  # fmt: skip
    await eventually(lambda: {s.name for s in collector.spans() if s.trace == trace} == set(wanted))
    by_name = {span.name: span for span in collector.spans() if span.trace == trace}
    processed, created, sent, last = (by_name[name] for name in wanted)
    assert (created.parent, sent.parent, last.parent) == (processed.id, created.id, created.id)
    assert processed.parent == run_traceparent(f"{world.team}/daily/r1")[36:52]
    assert last.id in {heard[36:52] for heard in heard_last}  # a batch may have been tried again

    def batches() -> list[Seen]:
        return [s for s in collector.spans() if s.name.startswith("process batch") and trace in s.links]

    await eventually(batches)
    assert [batch.trace != trace for batch in batches()] == [True]
    assert processed.service == "outrider-test"
    assert processed.attributes["outrider.team"] == world.team
    assert CANARY.encode() not in b"".join(collector.bodies)


async def test_a_batchs_span_is_linked_to_every_record_of_it(collector: Collector) -> None:
    run = RunKey(team="ads", dag_id="daily", run_id="r")
    event = RunFinished(run=run, run_started_at=AT, state="success", finished_at=AT)
    traces = [f"{number:032x}" for number in range(1, 501)]
    facts = [
        Heard(event, Envelope("id", event.type, "/test", traceparent=f"00-{trace}-{1:016x}-01"), Origin("t", 0, 0, AT))
        for trace in traces
    ]

    with telemetry.processing_batch("group", facts):
        pass

    await eventually(lambda: any(set(traces) <= set(span.links) for span in collector.spans()))


async def test_what_the_bus_counts_is_shown_and_a_database_that_is_away_does_not_matter(world: RealWorld) -> None:
    heard_last: list[str] = []
    first, second = world.group, f"{world.group}-2"
    declare_two_hops(world, heard_last)
    await world.start()
    bus: Bus = world.buses[-1]

    await world.deliver(*(finished(world, f"r{n}") for n in range(5)))
    await world.deliver_raw(b"poison")
    await eventually(lambda: len(heard_last) >= 5, seconds=BACKLOG_SECONDS)

    def shown(text: bytes) -> dict[str, dict[str, float]]:
        families = text_string_to_metric_families(text.decode())
        return {
            sample.name: {s.labels.get("group", ""): s.value for s in family.samples if s.name == sample.name}
            for family in families
            for sample in family.samples
            if "le" not in sample.labels
        }

    async with asyncpg.create_pool(world.dsn, min_size=1) as pool:
        metrics = Metrics(bus, pool, look_again_seconds=0)

        async def all_worked_off() -> bool:
            return shown(await metrics.text())["outrider_bus_lag_records"] == {first: 0, second: 0}

        # our team had its turns; other tests' records may be left
        await eventually(all_worked_off, seconds=BACKLOG_SECONDS)
        await world.settle()
        now = shown(await metrics.text())
    without = shown(await metrics.text())

    letters = Counter(letter.header("dlq-group") for letter in await world.dead_letters())
    assert letters[first] == 1  # the second group hears odd records of other tests, too
    assert now["outrider_bus_dead_letters_total"] == {group: letters[group] for group in (first, second)}
    assert now["outrider_bus_assigned"] == {first: 1, second: 1}
    assert now["outrider_bus_partitions"][first] == 3
    assert now["outrider_bus_rebalances_total"][first] >= 1
    assert now["outrider_bus_handling_seconds_count"][first] >= 5
    assert now["outrider_bus_batch_records_sum"][second] >= 5
    assert now["outrider_bus_batch_seconds_count"][second] == now["outrider_bus_batch_records_count"][second]
    assert now["outrider_bus_database_answers"] == {"": 1}
    assert now["outrider_bus_outbox_records"] == {"": 0}
    assert now["outrider_bus_relay_active"] == {"": 1}
    assert now["outrider_bus_parked_keys"] == {first: 0, second: 0}

    assert without["outrider_bus_database_answers"] == {"": 0}
    assert "outrider_bus_outbox_records" not in without
    assert without["outrider_bus_partitions"] == now["outrider_bus_partitions"]


async def test_rows_that_wait_and_lanes_that_are_sick_are_shown(world: RealWorld) -> None:
    async def broken(heard: Heard[Event], begin: Begin) -> None:
        raise ValueError(heard.envelope.id)

    world.bus.lanes(group=world.group, topics=[world.topic], handlers={RunFinished: broken}, lane=lambda e: e.key())
    slow = type(QUICK)(**{**vars(QUICK), "retry_delays": (60.0,)})
    await world.start(slow)
    bus = world.buses[-1]
    row = "VALUES ('outrider.nowhere', '1', '[]', now() - interval '90 s')"
    await world.pool.execute(f"INSERT INTO bus.outbox (topic, id, headers, said_at) {row}")
    await world.deliver(finished(world, "r1"), finished(world, "r2"))
    await eventually(lambda: world.pool.fetchval("SELECT count(DISTINCT lane) = 2 FROM bus.parked"))

    text = (await Metrics(bus, world.pool).text()).decode()

    families = {family.name: family.samples for family in text_string_to_metric_families(text)}
    assert families["outrider_bus_parked_keys"][0].value == 2
    assert families["outrider_bus_parked_records"][0].value == 2
    assert families["outrider_bus_outbox_records"][0].value == 1
    assert 90 <= families["outrider_bus_outbox_age_seconds"][0].value < 150
