"""The outbox relay loses nothing, keeps the order per key, and lets no topic hold up the others."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest
from outrider_bus.bus import Bus
from outrider_bus.saying import outbox
from outrider_contracts.tenants import AuditRecorded

from tests.faults.members import members
from tests.faults.worker import Orders
from tests.faults.workload import TABLES
from tests.integration.bus.real_world import QUICK, RealWorld, eventually
from tests.unit.bus.promises import AT, Letter

_ROWS = 3000


def audit(world: RealWorld, n: int, team: str = "") -> AuditRecorded:
    return AuditRecorded(team=team or world.team, actor="test", action="say", resource=f"{n:05}", at=AT)


async def say(world: RealWorld, facts: list[AuditRecorded], *, team_copies: bool = False) -> None:
    """Commit them, each in a transaction of its own, with nobody there to carry them."""
    bus = Bus(service=world.group, kafka=world.address, pool=world.pool, timing=QUICK)
    for start in range(0, len(facts), 100):
        async with bus.database.begin() as tx:
            await tx.say(*facts[start : start + 100], team_copies=team_copies)


def resources(letters: list[Letter]) -> list[str]:
    return [AuditRecorded.model_validate_json(letter.value or b"").resource for letter in letters]


async def left(world: RealWorld) -> int:
    return int(await world.pool.fetchval("SELECT count(*) FROM bus.outbox"))


async def test_a_killed_relay_loses_nothing_and_keeps_the_order(world: RealWorld) -> None:
    """A row may be carried twice; without the repetitions each key is in the order in which it was said."""
    await world.pool.execute(TABLES)
    await say(world, [audit(world, n) for n in range(_ROWS)])
    async with members(Orders(world.address, world.dsn, world.group, world.topic, "lanes")) as team:
        for nth in (150, 700):
            victim = team.begin(when="after", act="relay sends", nth=nth)  # in the middle of a portion
            await victim.dies()
        survived = await left(world)
        team.begin()
        await eventually(lambda: _nothing_left(world), seconds=60)

    assert survived
    assert list(dict.fromkeys(resources(await world.answers()))) == [f"{n:05}" for n in range(_ROWS)]


async def test_a_relay_that_wakes_repeats_nothing_behind_what_was_said_later(
    world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It froze with rows in hand, and another one took over."""
    froze, wakes = asyncio.Event(), asyncio.Event()
    next_rows = outbox.next_rows

    async def freezing(*args: Any, **options: Any) -> list[outbox.Said]:
        rows = await next_rows(*args, **options)
        if len(rows) > 1 and not froze.is_set():
            froze.set()
            await wakes.wait()
        return rows

    monkeypatch.setattr(outbox, "next_rows", freezing)
    await world.start()
    await carried(world, 0)  # its topic is known now
    await say(world, [audit(world, n) for n in range(1, 300)])
    await asyncio.wait_for(froze.wait(), 30)
    await world.start()
    await carried(world, 300)
    wakes.set()
    await world.stop()
    await carried(world, 301)

    assert resources(await world.answers()) == [f"{n:05}" for n in range(302)]


async def carried(world: RealWorld, n: int) -> None:
    """Say one more, and wait until nothing is left."""
    await say(world, [audit(world, n)])
    await eventually(lambda: _nothing_left(world))


async def _nothing_left(world: RealWorld) -> bool:
    return await left(world) == 0


async def test_a_team_topic_that_is_absent_waits_alone(world: RealWorld) -> None:
    """The facts themselves and the copies of other teams leave at once; the copy follows when the topic is there."""
    late = f"{world.team}-late"
    await say(world, [audit(world, 1, late), audit(world, 2), audit(world, 3, late)], team_copies=True)
    await world.start()
    await eventually(lambda: _left_are(world, 2))
    copies = resources(await world.records_of(world.team_topic))
    await world.make_topics({f"outrider.team.{late}.events.v1": 1})
    await eventually(lambda: _left_are(world, 0))

    assert copies == ["00002"]
    assert resources(await world.records_of(f"outrider.team.{late}.events.v1")) == ["00001", "00003"]


async def _left_are(world: RealWorld, count: int) -> bool:
    return await left(world) == count


async def test_two_relays_of_one_service_carry_each_row_once(world: RealWorld) -> None:
    patient = replace(QUICK, frozen=60)  # a relay that waits for Kafka is not to be taken for frozen
    await world.start(patient)
    await world.start(patient)
    await say(world, [audit(world, n) for n in range(2000)])
    await eventually(lambda: _nothing_left(world))

    assert resources(await world.answers()) == [f"{n:05}" for n in range(2000)]


async def test_a_record_too_large_for_kafka_is_set_aside(world: RealWorld) -> None:
    await world.start()
    async with world.buses[0].database.begin() as tx:
        await tx.say_raw(AuditRecorded.topic, world.team, os.urandom(3_000_000), {}, id="large")
        await tx.say(audit(world, 1))
    await eventually(lambda: _left_are(world, 1))

    assert resources(await world.answers()) == ["00001"]
    assert "MessageSizeTooLarge" in await world.pool.fetchval("SELECT stuck FROM bus.outbox")


async def test_what_is_large_only_before_it_is_compressed_is_carried(world: RealWorld) -> None:
    """In its place: not before what was said before it under its key, nor behind what was said later."""
    await world.start()
    async with world.buses[0].database.begin() as tx:
        for n in range(6):
            await tx.say_raw(AuditRecorded.topic, world.team, b"%d" % n * (3_000_000 if n % 2 else 1), {}, id=f"n{n}")
    await eventually(lambda: _nothing_left(world))

    assert [(letter.value or b"")[:1] for letter in await world.answers()] == [b"0", b"1", b"2", b"3", b"4", b"5"]


async def test_rows_that_are_too_large_only_together_are_carried_one_by_one(world: RealWorld) -> None:
    """A topic may take less at once than the relay sends at once."""
    topic = f"{world.topic}.narrow"
    await world.make_topics({topic: 1}, **{"max.message.bytes": "20000"})
    bus = Bus(service=world.group, kafka=world.address, pool=world.pool, timing=QUICK)
    async with bus.database.begin() as tx:
        for n in range(30):
            size = 50_000 if n == 7 else 1000
            await tx.say_raw(topic, "key", os.urandom(size - 2) + b"%02d" % n, {}, id=f"n{n}")
    await world.start()
    await eventually(lambda: _left_are(world, 1))

    said = [(letter.value or b"")[-2:] for letter in await world.records_of(topic)]
    assert list(dict.fromkeys(said)) == [b"%02d" % n for n in range(30) if n != 7]


async def test_a_topic_that_is_deleted_while_rows_wait_for_it_stops_nobody_for_long(world: RealWorld) -> None:
    """What was said to it leaves when it is there again."""
    topic = f"{world.topic}.deleted"
    await world.make_topics({topic: 1})
    await world.start()
    database = world.buses[0].database
    async with database.begin() as tx:
        await tx.say_raw(topic, "key", b"before", {}, id="before")
    await eventually(lambda: _nothing_left(world))

    await world.delete_topic(topic)
    async with database.begin() as tx:
        await tx.say_raw(topic, "key", b"after", {}, id="after")
        await tx.say(audit(world, 1))
    await eventually(lambda: _left_are(world, 1), seconds=60)
    async with database.begin() as tx:
        await tx.say(audit(world, 2))
    await eventually(lambda: _left_are(world, 1), seconds=12)  # a row that is sent in vain takes 15
    await world.make_topics({topic: 1})
    await eventually(lambda: _nothing_left(world))

    assert resources(await world.answers()) == ["00001", "00002"]
    assert [letter.value for letter in await world.records_of(topic)] == [b"after"]
