"""KeyLanes with effects that take 5 ms, beside C loops that do nothing else, and beside the ideal of C / 5 ms.

The effect is a wait, as for an outside system (`outside`). Alone, the handler wants no transaction; with its
transaction, inbox row and commit follow the wait, on a pool of ten connections.
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
from benchmarks.bus.outside import EFFECT_SECONDS, Effects
from benchmarks.bus.stand import Place, Stand

_RECORDS = 30_000
_LANES = (32, 64)
_CONTENDERS: dict[str, tuple[str, dict[str, int | bool]]] = {
    name.format(concurrency): (function, {"concurrency": concurrency, **more})
    for name, function, more in (
        ("KeyLanes, C = {}", "wait", {"transaction": False}),
        ("loops that only wait, C = {}", "only_wait", {}),
        ("KeyLanes, C = {}, with its transaction", "wait", {"transaction": True}),
    )
    for concurrency in _LANES
}


def measure(stand: Stand, effort: Effort) -> Section:
    """Run every contender in turn, in as many rounds as asked for."""
    count = effort.of(_RECORDS)
    topic = stand.make_topic("lanes")
    stand.fill(topic, workload.records(count))
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in _CONTENDERS}
    for number in range(effort.rounds):
        for name, (function, parameters) in _CONTENDERS.items():
            figures = stand.run(f"benchmarks.bus.lanes:{function}", topic=topic, count=count, **parameters)
            effort.say(f"  {number + 1}/{effort.rounds} {name}: {figures['of the ideal']:.0%} of the ideal")
            rounds[name].append(figures)
    seen = {name: medians(figures) for name, figures in rounds.items()}
    aims = [
        Aim(f"KeyLanes of the ideal C / 5 ms, C = {number}", seen[f"KeyLanes, C = {number}"]["of the ideal"], 0.9)
        for number in _LANES
    ]
    return Section(f"lanes: {count:,} records, effects of 5 ms", [Row(*item) for item in seen.items()], aims)


async def wait(place: Place, topic: str, count: int, concurrency: int, transaction: bool) -> dict[str, float]:
    """KeyLanes, as a service declares it."""
    pool = await workload.open_pool(place)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)
    done = 0
    enough = asyncio.Event()
    effects = Effects()

    async def work(_: Heard[Event], begin: Begin) -> None:
        nonlocal done
        await effects.one()
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


async def only_wait(place: Place, topic: str, count: int, concurrency: int) -> dict[str, float]:
    """The same waits, and nothing to hear."""
    left = count
    effects = Effects()

    async def loop() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await effects.one()

    meter = Meter()
    await asyncio.gather(*(loop() for _ in range(concurrency)))
    figures = meter.stop(count)
    return {"of the ideal": figures["records/s"] * EFFECT_SECONDS / concurrency, **figures}
