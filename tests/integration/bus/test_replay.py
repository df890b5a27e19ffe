"""Replays on real Kafka and PostgreSQL: what was missed is handled, what was done stays as it is."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from outrider_bus.bus import Bus
from outrider_bus.ports import Heard, Tx
from outrider_bus.records import RawRecord, cloud_event
from outrider_bus.replay.sieve import ReplayRefused
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import Envelope, encode
from outrider_contracts.event import Event
from outrider_contracts.replays import Replay, ReplayRequest

from tests.faults.members import members
from tests.faults.worker import Orders
from tests.faults.workload import TABLES, declare
from tests.integration.bus.real_world import RealWorld, eventually
from tests.unit.bus.promises import HOW, finished, hear, say_answer


async def forget_inbox(world: RealWorld) -> None:
    """As after a restored backup: the group's offsets are ahead of what its database knows."""
    await world.pool.execute("DELETE FROM bus.inbox")


def wanted(world: RealWorld, **choice: object) -> ReplayRequest:
    return ReplayRequest.model_validate({"group": world.group, "reason": "a test", **choice})


async def ended(bus: Bus, job: Replay) -> Replay:
    async def is_over() -> bool:
        return (await bus.replays.get(job.id)).is_over

    await eventually(is_over)
    return await bus.replays.get(job.id)


async def replay(world: RealWorld, **choice: object) -> Replay:
    bus = world.buses[-1]
    return await ended(bus, await bus.replays.order(wanted(world, **choice), actor="ann"))


@HOW
async def test_what_is_missing_is_handled_and_what_is_known_is_left(world: RealWorld, how: str) -> None:
    heard_of: list[str] = []

    async def work(heard: Heard[Event], tx: Tx) -> None:
        heard_of.append(heard.envelope.id)

    hear(world, how, work)
    await world.start()
    facts = [finished(world, f"r{n}", n) for n in range(20)]
    await world.deliver(*facts)
    await world.settle()
    await world.pool.execute("DELETE FROM bus.inbox WHERE event_id = ANY ($1)", [fact.id for fact in facts[5:8]])
    heard_of.clear()

    job = await replay(world)
    again = await replay(world)

    assert job.status == "done", job
    assert sorted(heard_of) == sorted(fact.id for fact in facts[5:8])
    assert (job.counts.read, job.counts.matching, job.counts.done, job.counts.known) == (20, 20, 3, 17)
    assert (again.counts.done, again.counts.known) == (0, 20)


@HOW
async def test_reapplying_handles_everything_once_more_and_once_per_replay(world: RealWorld, how: str) -> None:
    told: list[bool] = []

    async def work(heard: Heard[Event], _: Tx) -> None:
        told.append(heard.replayed)

    hear(world, how, work)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10)), finished(world, "r0", 0))
    await world.settle()

    job = await replay(world, mode="reapply")

    assert (job.counts.done, job.counts.known) == (10, 1)
    assert told == [False] * 10 + [True] * 10


async def test_the_end_is_frozen_by_the_plan(world: RealWorld) -> None:
    """What is said after the plan is not part of it, and a changed wish is not what the plan has shown."""
    hear(world, "batches", say_answer)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10)))
    await world.settle()
    plan = await world.buses[-1].replays.plan(wanted(world))
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10, 30)))
    await world.settle()
    await forget_inbox(world)
    again = await world.buses[-1].replays.plan(wanted(world, ranges=plan.ranges))

    job = await replay(world, ranges=plan.ranges, digest=plan.digest)
    with pytest.raises(ReplayRefused) as refusal:
        await replay(world, ranges=plan.ranges, digest=plan.digest, mode="reapply")

    assert (plan.matching, plan.missing, plan.complete) == (10, 0, True)
    assert (again.matching, again.missing) == (10, 10)
    assert (job.counts.read, job.counts.done) == (10, 10)
    assert refusal.value.code == "another_plan"


async def test_what_is_missing_is_counted_also_where_only_the_content_tells(world: RealWorld) -> None:
    """As in the inboxes of teams, whose records have no headers of ours."""

    async def handle(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        """Nothing: the inbox is enough."""

    def decode(record: RawRecord) -> tuple[Envelope, Event]:
        return cloud_event(record) or pytest.fail("it is a fact")

    world.bus.batches(group=world.group, topics=[world.topic], types=[RunFinished], handler=handle, decode=decode)
    await world.start()
    facts = [finished(world, f"r{n}", n) for n in range(10)]
    await world.deliver(*facts)
    await world.settle()
    handled = await world.buses[-1].replays.plan(wanted(world))
    await world.pool.execute("DELETE FROM bus.inbox WHERE event_id = ANY ($1)", [fact.id for fact in facts[5:8]])
    forgotten = await world.buses[-1].replays.plan(wanted(world))

    assert (handled.matching, handled.missing) == (10, 0)
    assert (forgotten.matching, forgotten.missing) == (10, 3)


async def test_filters_choose_by_team_key_type_partition_offset_and_time(world: RealWorld) -> None:
    hear(world, "lanes", say_answer)
    await world.start()
    await world.deliver(*(finished(world, f"r{n % 3}", n) for n in range(30)))
    await world.settle()
    key = finished(world, "r1").key()
    partitions = {p.partition: p for p in (await world.buses[-1].replays.plan(wanted(world))).partitions}
    mine = next(p for p in partitions.values() if p.records)

    async def matching(**choice: object) -> int:
        return (await world.buses[-1].replays.plan(wanted(world, **choice))).matching

    assert await matching() == 30
    assert await matching(keys=[key]) == 10
    assert await matching(keys=[f"{world.team}/daily/*"]) == 30
    assert await matching(teams=["nobody"]) == 0
    assert await matching(teams=[world.team]) == 30
    assert await matching(types=["RunFinished"]) == 30
    assert await matching(types=[RunFinished.type]) == 30
    assert await matching(partitions=[mine.partition]) == mine.records
    assert await matching(offsets={mine.partition: mine.end - 1}) == 1
    assert await matching(since=datetime.now(UTC) + timedelta(hours=1)) == 0
    assert await matching(until=datetime.now(UTC) - timedelta(hours=1)) == 0
    assert await matching(since=datetime.now(UTC) - timedelta(hours=1)) == 30
    assert await matching(since=datetime(1, 1, 2, tzinfo=UTC)) == 30  # Kafka knows no time before 1970
    for wrong in ({"types": ["NoSuch"]}, {"partitions": [77]}, {"topic": "outrider.other"}, {"group": "other"}):
        with pytest.raises(ReplayRefused):
            await matching(**wrong)


async def test_a_plan_shows_what_is_there_without_content_and_what_is_left_out(world: RealWorld) -> None:
    hear(world, "lanes", say_answer, never_again={})
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10)))
    await world.settle()

    plan = await world.buses[-1].replays.plan(wanted(world, rate=2))

    assert len(plan.previews) == 5
    assert plan.previews[0].type == RunFinished.type
    assert plan.previews[0].key.startswith(world.team)
    assert plan.seconds == pytest.approx(5)
    assert plan.warnings == ()
    assert await world.pool.fetchval("SELECT count(*) FROM bus.replays") == 0


async def test_a_plan_shows_timestamps_that_no_calendar_has(world: RealWorld) -> None:
    """They are whatever their writer says, where the topic lets him."""
    topic = f"{world.topic}.timeless"
    await world.make_topics({topic: 1}, **{"message.timestamp.after.max.ms": str(2**63 - 1)})
    world.bus.batches(group=world.group, topics=[topic], types=[RunFinished], handler=lambda *_: asyncio.sleep(0))
    await world.start()
    await world.producer.send_and_wait(topic, b"no json", timestamp_ms=1 << 60)

    plan = await world.buses[-1].replays.plan(wanted(world, topic=topic))

    assert [preview.said_at.year for preview in plan.previews] == [9999]


@pytest.mark.parametrize("how", ["lanes", "batches"])
async def test_a_dead_letter_of_what_can_not_be_read_is_not_missing(world: RealWorld, how: str) -> None:
    """It was worked off: `dlq redrive` is for that. Once it is gone from the inbox it is missing, as a fact is."""
    hear(world, how, say_answer)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10)))
    await world.deliver_raw(b"no fact at all")
    spelt = encode(finished(world, "r77"), source="/test")
    await world.deliver_raw(b"no json", key=spelt.key.encode(), headers=spelt.headers)
    await world.settle()
    replays = world.buses[-1].replays

    plan, job = await replays.plan(wanted(world)), await replay(world)
    again = await replay(world, mode="reapply")
    await forget_inbox(world)
    forgotten, missing = await replays.plan(wanted(world)), await replay(world)

    assert (plan.matching, plan.missing) == (12, 0)
    assert (job.counts.known, job.counts.failed) == (12, 0)
    assert (again.counts.done, again.counts.failed) == (10, 2)
    assert (forgotten.missing, missing.counts.done, missing.counts.failed) == (12, 10, 2)


async def test_a_failing_record_is_counted_and_shown_and_blocks_nobody(world: RealWorld) -> None:
    """No second dead letter, nothing parked; the record stays missing and may be replayed again."""
    broken = False

    async def work(heard: Heard[Event], tx: Tx) -> None:
        assert isinstance(heard.event, RunFinished)
        if broken and heard.event.run.run_id == "r3":
            raise RuntimeError("a bug")

    hear(world, "batches", work)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(10)))
    await world.deliver_raw(b"no json")
    await world.settle()
    await forget_inbox(world)
    broken = True

    job = await replay(world)
    broken = False
    again = await replay(world)

    assert (job.counts.done, job.counts.failed, job.status) == (9, 2, "done")
    assert sorted(f.reason[:12] for f in job.failures) == ["RuntimeError", "headers: mis"]
    assert (again.counts.done, again.counts.known, again.counts.failed) == (1, 9, 1)
    assert len(await world.dead_letters()) == 1


async def test_the_rate_is_kept(world: RealWorld) -> None:
    hear(world, "lanes", say_answer)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(60)))
    await world.settle()
    took: list[float] = []

    while len(took) < 3 and min(took, default=6) >= 6:  # a pause of the machine makes one slow, not all
        began = asyncio.get_running_loop().time()
        job = await replay(world, rate=30)
        took.append(asyncio.get_running_loop().time() - began)
        assert job.counts.known == 60

    assert all(seconds > 1.7 for seconds in took)
    assert min(took) < 6


async def test_a_cancelled_replay_stops_and_goes_on_where_it_was(world: RealWorld) -> None:
    heard_of: list[str] = []

    async def work(heard: Heard[Event], _: Tx) -> None:
        heard_of.append(heard.envelope.id)

    hear(world, "batches", work)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(300)))
    await world.settle()
    heard_of.clear()
    replays = world.buses[-1].replays

    job = await replays.order(wanted(world, mode="reapply", rate=100), actor="ann")
    await eventually(lambda: len(heard_of) > 20)
    cancelled = await replays.cancel(job.id, actor="bob")
    with pytest.raises(ReplayRefused):
        await replays.cancel(job.id, actor="bob")
    await replay(world)  # one at a time: the first has let go when the second is done
    stopped_at = len(heard_of)
    await replays.resume(job.id, actor="bob")
    done = await ended(world.buses[-1], job)
    await world.settle()  # the end is told by the relay

    assert cancelled.status == "cancelled"
    assert stopped_at < 200
    assert done.status == "done"
    assert len(heard_of) == len(set(heard_of)) == 300
    audits = await world.records_of("outrider.audit.v1")
    acts = [a for a in audits if job.id.encode() in (a.value or b"")]
    assert [(b'"actor":"ann"' in (a.value or b"")) for a in acts] == [True, False, False, True]


async def test_another_instance_goes_on_when_the_first_stops(world: RealWorld) -> None:
    heard_of: list[str] = []

    async def work(heard: Heard[Event], _: Tx) -> None:
        heard_of.append(heard.envelope.id)

    hear(world, "lanes", work)
    await world.start()
    await world.deliver(*(finished(world, f"r{n}", n) for n in range(200)))
    await world.settle()
    heard_of.clear()
    job = await world.buses[-1].replays.order(wanted(world, mode="reapply", rate=100), actor="ann")
    await eventually(lambda: len(heard_of) > 20)

    await world.stop()
    stopped_at = len(heard_of)
    await world.start()
    done = await ended(world.buses[-1], job)

    assert stopped_at < 200
    assert (done.status, done.counts.read) == ("done", 200)
    assert len(heard_of) == len(set(heard_of)) == 200


@HOW
async def test_another_instance_goes_on_when_the_first_is_killed(world: RealWorld, how: str) -> None:
    """SIGKILL in the middle: the lease ends, the next one goes on from the cursor; the inbox knows what was done."""
    await world.pool.execute(f"DROP TABLE IF EXISTS chain, outside; {TABLES}")
    declare(world.bus, how, group=world.group, topic=world.topic, pool=world.pool)
    await world.start()
    await world.deliver(*(finished(world, f"r{n % 50}", n) for n in range(600)))
    await world.settle(seconds=60)
    answered = {letter.header("ce_id") for letter in await world.answers()}
    await forget_inbox(world)
    await world.pool.execute("TRUNCATE chain")
    async with members(Orders(world.address, world.dsn, world.group, world.topic, how)) as team:
        victim = await team.start()
        # slow, for it goes on in its own process however long the test takes to see how far it is and to kill it
        job = await world.buses[-1].replays.order(wanted(world, rate=80), actor="ann")
        await world.stop()
        await eventually(lambda: reads(world, job.id, 100), seconds=60)
        await victim.end()
        killed_at = await cursor(world, job.id)
        await team.start()
        await eventually(lambda: reads(world, job.id, 600), seconds=60)
        await eventually(lambda: is_done(world, job.id))

    assert 100 <= killed_at < 600
    assert await world.pool.fetchval("SELECT sum(links) FROM chain") == 600
    assert {letter.header("ce_id") for letter in await world.answers()} == answered
    assert await world.pool.fetchval("SELECT max(epoch) FROM bus.replays") >= 2


async def is_done(world: RealWorld, id: str) -> bool:
    return bool(await world.pool.fetchval("SELECT status = 'done' FROM bus.replays WHERE id = $1", id))


async def cursor(world: RealWorld, id: str) -> int:
    sql = "SELECT sum(cursor - start_offset)::int FROM bus.replay_partitions WHERE replay_id = $1"
    return int(await world.pool.fetchval(sql, id))


async def reads(world: RealWorld, id: str, enough: int) -> bool:
    return await cursor(world, id) >= enough
