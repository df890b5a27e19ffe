"""What operators do by hand, on real Kafka and PostgreSQL: parked lanes, stuck rows, dead letters; also in a race."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from outrider_bus.handling.again import Outcome
from outrider_bus.operators.letters import Place
from outrider_bus.operators.operations import Act, Operations
from outrider_bus.operators.redrive import DeadLetters
from outrider_bus.ports import Begin, Heard, LaneHandler, RefusedError, Tx, UnavailableError
from outrider_bus.records import cloud_event
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.tenants import AuditRecorded

from tests.integration.bus.real_world import QUICK, RealWorld, eventually
from tests.unit.bus.promises import HOW, finished, hear, say_answer

ACT = Act("someone", "because")
SLOW = replace(QUICK, retry_delays=(600, 600, 600, 600))
"""A lane that parks waits for an operator."""


def operations(world: RealWorld) -> Operations:
    return world.buses[-1].operations


def letters(world: RealWorld) -> DeadLetters:
    return world.buses[-1].dead_letters


async def audits(world: RealWorld, action: str) -> list[AuditRecorded]:
    facts = [AuditRecorded.model_validate_json(letter.value or b"") for letter in await world.answers()]
    return [fact for fact in facts if fact.action == action]


class Sick:
    """A handler that fails until it is told to be well."""

    def __init__(self, error: Callable[[], Exception] = lambda: RuntimeError("a bug")) -> None:
        self.error: Callable[[], Exception] | None = error
        self.order: list[int] = []

    async def __call__(self, heard: Heard[Event], tx: Tx) -> None:
        assert isinstance(heard.event, RunFinished)
        await say_answer(heard, tx)
        if self.error:
            raise self.error()
        self.order.append(heard.event.finished_at.microsecond)


async def parked(world: RealWorld, *facts: Event) -> None:
    await world.deliver(*facts)
    await eventually(lambda: _rows(world, len(facts)))


async def _rows(world: RealWorld, count: int) -> bool:
    return bool(await world.pool.fetchval("SELECT count(*) FROM bus.parked") == count)


async def test_a_sick_lane_is_shown_and_tried_at_once_when_asked(world: RealWorld) -> None:
    work = Sick()
    hear(world, "lanes", work)
    await world.start(SLOW)
    await parked(world, finished(world, at=1), finished(world, at=2))

    [lane] = await operations(world).sick()
    work.error = None
    await operations(world).retry([lane], ACT)
    await eventually(lambda: work.order == [1, 2])

    assert (lane.group, lane.lane, lane.attempts, lane.behind) == (world.group, finished(world).key(), 1, 1)
    assert lane.origin.startswith(f"{world.topic}/")
    assert lane.reason == "RuntimeError: a bug"
    await world.settle()
    assert await operations(world).sick() == []
    [audit] = await audits(world, "bus.parked.retry")
    assert (audit.actor, audit.detail, audit.because) == ("someone", "because", lane.origin)


async def test_a_record_that_is_given_up_becomes_a_dead_letter_and_the_next_is_tried(world: RealWorld) -> None:
    work = Sick()
    hear(world, "lanes", work)
    await world.start(SLOW)
    await parked(world, finished(world, at=1), finished(world, at=2))
    [lane] = await operations(world).sick()

    work.error = None
    assert await operations(world).give_up(lane, ACT)
    await eventually(lambda: work.order == [2])
    again = await operations(world).give_up(lane, ACT)
    await world.settle()

    assert not again
    [letter] = await world.dead_letters()
    assert letter.value == encode(finished(world, at=1), source="/test").value
    assert letter.header("dlq-reason").startswith("given up by someone: because; last error: RuntimeError: a bug")
    assert len(await audits(world, "bus.parked.give-up")) == 1


async def test_giving_up_what_is_being_handled_keeps_one_of_both(world: RealWorld) -> None:
    """The runner and the operator meet in the inbox: whoever comes first, the other does nothing."""
    inside, go_on = asyncio.Event(), asyncio.Event()
    sick, handled = True, 0

    async def work(heard: Heard[Event], begin: Begin) -> None:
        nonlocal handled
        if sick:
            raise RuntimeError("a bug")
        inside.set()
        await go_on.wait()
        async with begin() as tx:
            await say_answer(heard, tx)
        handled += 1

    handlers: dict[type[Event], LaneHandler] = {RunFinished: work}
    world.bus.lanes(group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key())
    await world.start(SLOW)
    await parked(world, finished(world))
    [lane] = await operations(world).sick()

    sick = False
    await operations(world).retry([lane], ACT)
    await inside.wait()
    given_up = await operations(world).give_up(lane, ACT)
    go_on.set()
    await eventually(lambda: _rows(world, 0))
    await world.settle()

    assert given_up
    assert handled == 0
    assert len(await world.dead_letters()) == 1
    assert await audits(world, "hear") == []


@pytest.mark.parametrize("turn", range(5))
async def test_many_who_give_up_retry_and_run_at_once_lose_and_double_nothing(world: RealWorld, turn: int) -> None:
    count = 30
    work = Sick()
    hear(world, "lanes", work)
    await world.start(replace(SLOW, retry_delays=(0.05 * turn, 600, 600, 600)))
    await parked(world, *(finished(world, f"r{n}", n) for n in range(count)))
    lanes = await operations(world).sick()

    work.error = None
    async with asyncio.TaskGroup() as acts:
        acts.create_task(operations(world).retry(lanes[::2], ACT))
        given_up = [acts.create_task(operations(world).give_up(lane, ACT)) for lane in [*lanes, *lanes]]
    await operations(world).retry(await operations(world).sick(), ACT)
    await eventually(lambda: _rows(world, 0))
    await world.settle()

    dead = len(await world.dead_letters())
    assert dead == sum(task.result() for task in given_up) == len(await audits(world, "bus.parked.give-up"))
    assert len(await audits(world, "hear")) == count - dead


async def test_a_stuck_row_is_carried_when_asked_or_dropped(world: RealWorld) -> None:
    hear(world, "lanes", say_answer)
    await world.start()
    async with world.buses[-1].database.begin() as tx:
        for row in ("large", "unwanted"):
            await tx.say_raw(AuditRecorded.topic, world.team, os.urandom(3_000_000), {}, id=row)
    await eventually(lambda: _stuck(world, 2))

    first, second = await operations(world).stuck()
    await world.pool.execute("UPDATE bus.outbox SET value = 'small' WHERE seq = $1", first.seq)
    assert await operations(world).release([first.seq], ACT, discard=False) == 1
    assert await operations(world).release([second.seq, 7_000_000], ACT, discard=True) == 1
    await world.settle()

    assert (first.topic, first.id, first.bytes) == (AuditRecorded.topic, "large", 3_000_000)
    said = [answer.value for answer in await world.answers()]
    assert b"small" in said
    assert sum(b"bus.outbox." in (value or b"") for value in said) == 2
    assert await operations(world).waiting() == []


async def _stuck(world: RealWorld, count: int) -> bool:
    return len(await operations(world).stuck()) == count


async def dead(world: RealWorld, how: str, work: Any, *facts: Event, **declared: Any) -> list[Place]:
    """The places of the dead letters that *facts* end as."""
    hear(world, how, work, **declared)
    await world.start()
    await world.deliver(*facts)
    await eventually(lambda: _letters(world, len(facts)))
    return [(0, offset) for offset in range(len(facts))]


async def _letters(world: RealWorld, count: int) -> bool:
    return len(await world.dead_letters()) == count


@HOW
async def test_a_letter_is_handled_once_when_it_is_redriven(world: RealWorld, how: str) -> None:
    work = Sick()
    places = await dead(world, how, work, finished(world))
    work.error = None

    planned = await letters(world).plan(places)
    first = await letters(world).redrive(places, ACT)
    second = await letters(world).redrive(places, ACT)
    await world.settle()

    assert planned == first == {places[0]: Outcome("done")}
    assert second[places[0]].kind == "refused"
    assert "redriven by someone" in second[places[0]].reason
    assert len(await audits(world, "hear")) == 1
    [state] = await letters(world).settled()
    assert (state.state, state.outcome, state.redrives, state.actor) == ("redriven", "done", 1, "someone")
    [audit] = await audits(world, "bus.dead-letter.redrive")
    assert audit.resource == f"outrider.dlq.{world.group}/0/0"


@HOW
async def test_a_letter_that_fails_again_stays_one_and_no_copy_is_made(world: RealWorld, how: str) -> None:
    work = Sick()
    places = await dead(world, how, work, finished(world))

    outcomes = [(await letters(world).redrive(places, ACT))[places[0]] for _ in range(4)]
    forced = (await letters(world).redrive(places, ACT, force=True))[places[0]]
    await world.redeliver()
    await world.settle()

    assert [outcome.kind for outcome in outcomes] == ["failed", "failed", "failed", "refused"]
    assert forced == Outcome("failed", "RuntimeError: a bug")
    assert len(await world.dead_letters()) == 1
    [state] = await letters(world).settled()
    assert (state.state, state.redrives, state.is_open) == ("failed", 4, True)
    assert [audit.outcome for audit in await audits(world, "bus.dead-letter.redrive")] == ["failed"] * 4


async def test_what_could_not_be_read_stays_open_with_the_present_contracts_reason(world: RealWorld) -> None:
    spelt = encode(finished(world), source="/test")
    hear(world, "lanes", say_answer)
    await world.start()
    await world.deliver_raw(b'{"run": 7}', key=b"key", headers=spelt.headers)
    await eventually(lambda: _letters(world, 1))

    planned = (await letters(world).plan([(0, 0)]))[0, 0]
    redriven = (await letters(world).redrive([(0, 0)], ACT))[0, 0]

    assert planned == redriven
    assert planned.kind == "failed"
    assert planned.reason.startswith("validate: run")


async def test_a_letter_whose_fact_was_heard_from_another_teller_changes_nothing(world: RealWorld) -> None:
    """Its place had an inbox row, not its id: that one belongs to the telling that was handled."""
    fact = finished(world)
    broken = [True]

    def decode(record: Any) -> Any:
        if broken[0]:
            raise ValueError("an old decoder")
        return cloud_event(record)

    handlers: dict[type[Event], LaneHandler] = {RunFinished: _answering}
    world.bus.lanes(group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key(), decode=decode)
    await world.start()
    await world.deliver(fact)
    await eventually(lambda: _letters(world, 1))
    broken[0] = False
    await world.deliver(fact)
    await world.settle()

    outcome = (await letters(world).redrive([(0, 0)], ACT))[0, 0]
    await world.settle()

    assert outcome.kind == "known"
    assert len(await audits(world, "hear")) == 1


async def _answering(heard: Heard[Event], begin: Begin) -> None:
    async with begin() as tx:
        await say_answer(heard, tx)


async def test_a_refusal_settles_a_letter(world: RealWorld) -> None:
    work = Sick()
    places = await dead(world, "lanes", work, finished(world))
    work.error = lambda: RefusedError("no")

    outcome = (await letters(world).redrive(places, ACT))[places[0]]
    await world.settle()

    assert outcome == Outcome("refused", "no")
    assert [state.state for state in await letters(world).settled()] == ["redriven"]
    assert len(await audits(world, "hear")) == 1


@HOW
async def test_a_redrive_that_is_cut_off_is_finished_by_the_next_and_handles_nothing_twice(
    world: RealWorld, how: str
) -> None:
    """Killed between the handling and its record: the inbox row of the handling is what the next one finds."""
    work = Sick()
    places = await dead(world, how, work, finished(world))
    work.error = None
    await letters(world).redrive(places, ACT)
    await world.pool.execute("UPDATE bus.dead_letters SET state = 'trying', busy_until = NULL")

    discarded = (await letters(world).discard(places, ACT))[places[0]]
    outcome = (await letters(world).redrive(places, ACT))[places[0]]
    await world.settle()

    assert discarded.kind == "refused"
    assert outcome.kind == "known"
    assert len(await audits(world, "hear")) == 1


async def test_an_outage_leaves_the_letter_to_the_next_try(world: RealWorld) -> None:
    work = Sick()
    places = await dead(world, "lanes", work, finished(world))
    work.error = lambda: UnavailableError("away")

    with pytest.raises(UnavailableError):
        await letters(world).redrive(places, ACT)
    work.error = None
    outcome = (await letters(world).redrive(places, ACT))[places[0]]
    await world.settle()

    assert outcome.kind == "done"
    assert len(await audits(world, "hear")) == 1


@HOW
async def test_two_who_redrive_a_letter_at_once_handle_it_once(world: RealWorld, how: str) -> None:
    work = Sick()
    places = await dead(world, how, work, finished(world))
    work.error = None

    both = await asyncio.gather(*(letters(world).redrive(places, ACT) for _ in range(4)))
    await world.settle()

    assert sorted(outcomes[places[0]].kind for outcomes in both) == ["done", "refused", "refused", "refused"]
    assert len(await audits(world, "hear")) == 1


async def test_what_may_end_in_a_deletion_is_handled_only_as_a_first_delivery_that_is_asked_for(
    world: RealWorld,
) -> None:
    replayed: list[bool] = []
    sick = True

    async def work(heard: Heard[Event], tx: Tx) -> None:
        if sick:
            raise RuntimeError("a bug")
        replayed.append(heard.replayed)

    places = await dead(world, "lanes", work, finished(world), never_again={RunFinished: "it ends a run"})
    sick = False

    left_out = (await letters(world).redrive(places, ACT))[places[0]]
    settled = await letters(world).settled()
    outcome = (await letters(world).redrive(places, ACT, first=True))[places[0]]

    assert left_out == Outcome("left_out", "it ends a run")
    assert settled == []
    assert outcome.kind == "done"
    assert replayed == [False]


async def test_a_discarded_letter_is_put_away_and_stays_handled(world: RealWorld) -> None:
    work = Sick()
    places = await dead(world, "lanes", work, finished(world))
    work.error = None

    discarded = await letters(world).discard([*places, (0, 99), (7, 0)], ACT)
    redriven = (await letters(world).redrive(places, ACT))[places[0]]
    await world.redeliver()
    await world.settle()

    assert [outcome.kind for outcome in discarded.values()] == ["done", "refused", "refused"]
    assert redriven.kind == "refused"
    assert work.order == []
    assert [state.state for state in await letters(world).settled()] == ["discarded"]
    assert len(await audits(world, "bus.dead-letter.discard")) == 1
