"""What one team's flood costs another: delays of its facts, one every 100 ms, with and without the flood.

KeyLanes with 32 lanes and effects of 5 ms. The flood is told at once, over ten thousand runs and all partitions; the
other team's facts lie among and behind its records. The clock runs from the producer to the end of the effect.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence

from confluent_kafka import Producer
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress
from outrider_bus.ports import Begin, Heard, LaneHandler
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import Record, encode
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from benchmarks.bus import workload
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Aim, Row, Section, medians
from benchmarks.bus.outside import Effects
from benchmarks.bus.stand import Place, Stand

_FLOOD = 20_000
_FACTS = 30
_EVERY_SECONDS = 0.1
_OTHER = "other"
_FACTOR = 10


def measure(stand: Stand, effort: Effort) -> Section:
    """With and without the flood in turn, in as many rounds as asked for."""
    contenders = {"without": 0, f"a flood of {effort.of(_FLOOD):,}": effort.of(_FLOOD)}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for number in range(effort.rounds):
        for name, flood in contenders.items():
            topic = stand.make_topic("fairness")
            figures = stand.run("benchmarks.bus.fairness:hear", topic=topic, flood=flood)
            effort.say(f"  {number + 1}/{effort.rounds} {name}: p99 {figures['p99 ms']:.1f} ms")
            rounds[name].append(figures)
    calm, flooded = (medians(figures) for figures in rounds.values())
    aims = [
        Aim(f"{p} with the flood ÷ without", flooded[f"{p} ms"] / calm[f"{p} ms"], _FACTOR, at_most=True)
        for p in ("p50", "p99")
    ]
    rows = [Row(name, figures) for name, figures in zip(contenders, (calm, flooded), strict=True)]
    return Section("fairness: another team's facts, 10 a second", rows, aims)


async def hear(place: Place, topic: str, flood: int) -> dict[str, float]:
    """Hear flood and facts, and time the facts."""
    pool = await workload.open_pool(place)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)
    sent: dict[str, float] = {}
    delays: list[float] = []
    left = flood + _FACTS
    enough = asyncio.Event()
    effects = Effects()

    async def work(heard: Heard[Event], _: Begin) -> None:
        nonlocal left
        await effects.one()
        if heard.event.team_id() == _OTHER:
            delays.append(time.perf_counter() - sent[heard.event.key()])
        left -= 1
        if not left:
            enough.set()

    handlers: dict[type[Event], LaneHandler] = {RunFinished: work}
    group = f"fairness-{place.dsn.rsplit('_', 1)[1]}"
    bus.lanes(group=group, topics=[topic], handlers=handlers, lane=lambda e: e.key(), concurrency=32)
    told = list(workload.records(flood))
    await bus.start()
    producer = _producer(place.kafka)
    await _produce(producer, topic, told)
    for number in range(_FACTS):
        record = encode(_fact(number), source="/airflow/bench")
        sent[record.key] = time.perf_counter()
        await _produce(producer, topic, [record])
        await asyncio.sleep(_EVERY_SECONDS)
    await enough.wait()
    await bus.stop()
    await pool.close()
    cuts = statistics.quantiles(delays, n=100, method="inclusive")
    return {"p50 ms": cuts[49] * 1000, "p99 ms": cuts[98] * 1000, "worst ms": max(delays) * 1000}


def _fact(number: int) -> RunFinished:
    at = workload.AT
    run = RunKey(team=_OTHER, dag_id="daily", run_id=f"r{number}")
    return RunFinished(run=run, run_started_at=at, state="success", finished_at=at)


async def _produce(producer: Producer, topic: str, records: Sequence[Record]) -> None:
    for number, record in enumerate(records):
        producer.produce(topic, value=record.value, key=record.key, headers=list(record.headers))
        producer.poll(0)
        if number % 500 == 499:
            await asyncio.sleep(0)


def _producer(kafka: KafkaAddress) -> Producer:
    security = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
    who = {"sasl.username": kafka.username, "sasl.password": kafka.password}
    return Producer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all", "linger.ms": 0, **security, **who})
