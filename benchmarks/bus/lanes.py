"""KeyLanes with effects that take 5 ms, beside the ideal of C lanes that do nothing else: C / 5 ms.

The effect is a wait, as for an outside system. Alone, the handler wants no transaction; with its transaction, inbox row
and commit follow the wait, on a pool of ten connections.
"""

import asyncio

from outrider_bus.bus import Bus
from outrider_bus.ports import Begin, Heard, LaneHandler
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event

from benchmarks.bus import workload
from benchmarks.bus.effort import Effort
from benchmarks.bus.findings import Aim, Row, Section, medians
from benchmarks.bus.meter import Meter
from benchmarks.bus.stand import Place, Stand

EFFECT_SECONDS = 0.005
_RECORDS = 30_000
_CONTENDERS: dict[str, tuple[int, bool]] = {
    "KeyLanes, C = 32": (32, False),
    "KeyLanes, C = 64": (64, False),
    "KeyLanes, C = 32, with its transaction": (32, True),
    "KeyLanes, C = 64, with its transaction": (64, True),
}


def measure(stand: Stand, effort: Effort) -> Section:
    """Run every contender in turn, in as many rounds as asked for."""
    count = effort.of(_RECORDS)
    topic = stand.make_topic("lanes")
    stand.fill(topic, workload.records(count))
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in _CONTENDERS}
    for number in range(effort.rounds):
        for name, (concurrency, transaction) in _CONTENDERS.items():
            figures = stand.run(
                "benchmarks.bus.lanes:wait", topic=topic, count=count, concurrency=concurrency, transaction=transaction
            )
            effort.say(f"  {number + 1}/{effort.rounds} {name}: {figures['of the ideal']:.0%} of the ideal")
            rounds[name].append(figures)
    seen = {name: medians(figures) for name, figures in rounds.items()}
    aims = [
        Aim(f"{name}: share of C / 5 ms", seen[name]["of the ideal"], 0.9)
        for name, (_, transaction) in _CONTENDERS.items()
        if not transaction
    ]
    return Section(f"lanes: {count:,} records, effects of 5 ms", [Row(*item) for item in seen.items()], aims)


async def wait(place: Place, topic: str, count: int, concurrency: int, transaction: bool) -> dict[str, float]:
    """KeyLanes, as a service declares it."""
    pool = await workload.open_pool(place)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)
    done = 0
    enough = asyncio.Event()

    async def work(_: Heard[Event], begin: Begin) -> None:
        nonlocal done
        await asyncio.sleep(EFFECT_SECONDS)
        if transaction:
            async with begin():
                pass
        done += 1
        if done == count:
            enough.set()

    handlers: dict[type[Event], LaneHandler] = {RunFinished: work}
    group = f"lanes-{place.dsn.rsplit('_', 1)[1]}"
    bus.lanes(group=group, topics=[topic], handlers=handlers, lane=lambda e: e.key(), concurrency=concurrency)
    await bus.start()
    meter = Meter()
    await enough.wait()
    figures = meter.stop(count)
    await bus.stop()
    await pool.close()
    return {"of the ideal": figures["records/s"] * EFFECT_SECONDS / concurrency, **figures}
