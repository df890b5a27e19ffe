"""The bus itself as a contender."""

import asyncio
from collections.abc import Sequence
from typing import cast

from outrider_bus.bus import Bus
from outrider_bus.ports import Heard, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event

from benchmarks.bus import workload
from benchmarks.bus.meter import Meter
from benchmarks.bus.stand import Place

_GROUP = "bench"


async def batches(place: Place, topic: str, count: int, answers: bool) -> dict[str, float]:
    """BatchTx, as a service declares it."""
    pool = await workload.open_pool(place)
    bus = Bus(service="bench", kafka=place.kafka, pool=pool)
    group = f"{_GROUP}-{place.dsn.rsplit('_', 1)[1]}"
    kept = 0
    enough = asyncio.Event()

    async def keep(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        nonlocal kept
        events = [cast(RunFinished, heard.event) for heard in facts]
        await tx.connection.execute(workload.UPSERT, *workload.columns(events))
        if answers:
            for heard, event in zip(facts, events, strict=True):
                await tx.say(workload.note(event), cause=heard)
        kept += len(facts)
        if kept >= count:
            enough.set()

    bus.batches(group=group, topics=[topic], types=[RunFinished], handler=keep)
    await bus.start()
    meter = Meter()
    await enough.wait()
    await workload.until(pool, "count(*) >= $1 FROM bus.inbox", count)  # the last batch's commit
    await workload.until(pool, "NOT EXISTS (SELECT FROM bus.outbox)")
    figures = meter.stop(kept)
    await bus.stop()
    await pool.close()
    return figures
