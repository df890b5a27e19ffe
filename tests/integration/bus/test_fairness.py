"""One team's flood and another team's fact: counted, with all of it read before the work goes on."""

import asyncio
from collections.abc import Callable, Sequence

from outrider_bus.database import SESSION
from outrider_bus.ports import Begin, Heard, LaneHandler, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from tests.integration.bus.real_world import RealWorld, eventually
from tests.unit.bus.promises import AT

_FLOOD = 3000


def fact(team: str, run_id: str) -> RunFinished:
    run = RunKey(team=team, dag_id="daily", run_id=run_id)
    return RunFinished(run=run, run_started_at=AT, state="success", finished_at=AT)


async def flood(world: RealWorld, *, partitions: tuple[int, int], first: int, taken: Callable[[], bool]) -> None:
    """A flood into one partition, then one fact of another team into another (or the same), and all of it read.

    Nothing more is said until the *first* of the flood are in hand.
    """
    facts = [(fact(world.team, f"r{n}"), partitions[0]) for n in range(_FLOOD)]
    await tell(world, facts[:first])
    await eventually(taken)
    await tell(world, [*facts[first:], (fact("other", "r"), partitions[1])])
    assignment = world.buses[0].groups[world.group].subscription.assignment
    await eventually(lambda: assignment.in_flight == _FLOOD + 1)


async def tell(world: RealWorld, facts: Sequence[tuple[RunFinished, int]]) -> None:
    sent = []
    for told, partition in facts:
        spelt = encode(told, source="/test")
        headers = list(spelt.headers)
        sent.append(
            await world.producer.send(
                world.topic, spelt.value, key=spelt.key.encode(), headers=headers, partition=partition
            )
        )
    await asyncio.gather(*sent)


async def test_in_lanes_another_teams_fact_waits_for_one_slot(world: RealWorld) -> None:
    """The flood lies before it in the very same partition, and has lanes in plenty."""
    slots = 4
    go_on = asyncio.Event()
    began: list[str] = []

    async def work(heard: Heard[Event], begin: Begin) -> None:
        began.append(heard.event.team_id())
        await go_on.wait()
        async with begin():
            pass

    handlers: dict[type[Event], LaneHandler] = {RunFinished: work}
    world.bus.lanes(
        group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key(), concurrency=slots
    )
    await world.start()

    await flood(world, partitions=(0, 0), first=slots, taken=lambda: len(began) == slots)
    assert began == [world.team] * slots
    go_on.set()
    await eventually(lambda: "other" in began)

    assert began.index("other") <= slots + 1


async def test_in_batches_another_partitions_fact_waits_for_one_batch(world: RealWorld) -> None:
    go_on = asyncio.Event()
    teams: dict[str, set[str]] = {}  # by batch: one may be tried again

    async def work(batch: Sequence[Heard[Event]], tx: Tx) -> None:
        for timeout in SESSION:  # reading the flood may take longer than a transaction may
            await tx.connection.execute(f"SET LOCAL {timeout} = 0")
        teams[str(batch[0].origin)] = {heard.event.team_id() for heard in batch}
        await go_on.wait()

    world.bus.batches(group=world.group, topics=[world.topic], types=[RunFinished], handler=work, max_records=50)
    await world.start()

    await flood(world, partitions=(0, 1), first=1, taken=lambda: bool(teams))
    go_on.set()
    await eventually(lambda: len(teams) > 2)

    first, second, *_ = teams.values()
    assert "other" in first | second
