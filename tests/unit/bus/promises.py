"""What the bus promises, as one suite: run over the twin in memory and over real Kafka and PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

import pytest
from outrider_bus.handling.again import Outcome
from outrider_bus.ports import (
    BatchHandler,
    Begin,
    Heard,
    Lane,
    LaneHandler,
    NeverAgain,
    RefusedError,
    Tx,
    UnavailableError,
)
from outrider_bus.records import Decoder, RawHeaders
from outrider_contracts.airflow import AssetUpdated, RunFinished
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TaskKey
from outrider_contracts.tenants import AuditRecorded

AT = datetime(2026, 11, 1, tzinfo=UTC)
HOW = pytest.mark.parametrize("how", ["lanes", "batches"])


@dataclass(frozen=True)
class Letter:
    """A record as it lies in a topic."""

    key: bytes | None
    value: bytes | None
    headers: RawHeaders

    def header(self, name: str) -> str:
        """The last header of that name."""
        return [value or b"" for key, value in self.headers if key == name][-1].decode()


class Hearing(Protocol):
    """The bus or its twin, before `start`."""

    def lanes(
        self,
        *,
        group: str,
        topics: Sequence[str],
        handlers: Mapping[type[Event], LaneHandler],
        lane: Lane,
        concurrency: int = 32,
        decode: Decoder = ...,
        never_again: NeverAgain = ...,
    ) -> None:
        """As `Bus.lanes`."""

    def batches(
        self,
        *,
        group: str,
        types: Collection[type[Event]],
        handler: BatchHandler,
        topics: Sequence[str] = (),
        pattern: str = "",
        decode: Decoder = ...,
        max_records: int = 500,
        never_again: NeverAgain = ...,
    ) -> None:
        """As `Bus.batches`."""


class World(Protocol):
    """One bus with one input topic of its own."""

    topic: str
    team: str

    @property
    def bus(self) -> Hearing:
        """Where the test declares what is heard."""

    @property
    def group(self) -> str:
        """A consumer group nobody else uses."""

    async def start(self, *, gives_up: bool = True) -> None:
        """Start the bus; with *gives_up* false what fails is tried again for as long as a test may take."""

    async def stop(self) -> None:
        """Stop it; records may be appended meanwhile."""

    async def deliver(self, *events: Event, traceparent: str = "") -> None:
        """Append facts to the topic."""

    async def deliver_raw(self, value: bytes | None, *, key: bytes | None = None, headers: RawHeaders = ()) -> None:
        """Append any record to the topic."""

    async def settle(self) -> None:
        """Wait until every record is done, parked or given up, and everything said has left."""

    async def until(self, true: Callable[[], bool]) -> None:
        """Let time pass (parked records, outages) until *true*."""

    async def redeliver(self) -> None:
        """Have all records delivered again, to a bus that was started anew."""

    async def handle_again(self, *, scope: str) -> list[Outcome]:
        """Have every record of the topic handled again by the group."""

    async def answers(self) -> list[Letter]:
        """What was said to the audit topic for `team`, in order."""

    async def records_of(self, topic: str) -> list[Letter]:
        """What lies in another topic."""

    async def dead_letters(self) -> list[Letter]:
        """What was given up."""


Work = Callable[[Heard[Event], Tx], Awaitable[None]]


def hear(world: World, how: str, work: Work, *, never_again: NeverAgain = MappingProxyType({})) -> None:
    """Declare *work* either way."""

    async def in_lane(heard: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await work(heard, tx)

    async def in_batch(facts: Sequence[Heard[Event]], tx: Tx) -> None:
        for heard in facts:
            await work(heard, tx)

    if how == "lanes":
        handlers: dict[type[Event], LaneHandler] = {RunFinished: in_lane}
        world.bus.lanes(
            group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key(), never_again=never_again
        )
    else:
        world.bus.batches(
            group=world.group, topics=[world.topic], types=[RunFinished], handler=in_batch, never_again=never_again
        )


def finished(world: World, run_id: str = "r1", at: int = 0) -> RunFinished:
    run = RunKey(team=world.team, dag_id="daily", run_id=run_id)
    return RunFinished(run=run, run_started_at=AT, state="success", finished_at=AT.replace(microsecond=at))


def answer(heard: Heard[Event]) -> AuditRecorded:
    return AuditRecorded(team=heard.event.team_id(), actor="test", action="hear", resource=heard.envelope.id, at=AT)


async def say_answer(heard: Heard[Event], tx: Tx) -> None:
    await tx.say(answer(heard), cause=heard)


class BusPromises:
    """Inherit this with a fixture `world`."""

    patience_seconds: float = 5

    @HOW
    async def test_a_fact_is_answered_once_and_the_answer_names_its_cause(self, world: World, how: str) -> None:
        hear(world, how, say_answer)
        await world.start()
        fact = finished(world)

        await world.deliver(fact, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        await world.settle()

        [said] = await world.answers()
        assert said.header("ce_causationid") == fact.id
        assert said.header("traceparent").startswith("00-0af7651916cd43dd8448eb211c80319c-")

    @HOW
    async def test_a_second_telling_of_a_fact_changes_nothing(self, world: World, how: str) -> None:
        """Listener and sweep may both say it: one id, one answer, one piece of work."""
        worked: list[str] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            worked.append(heard.envelope.id)
            await say_answer(heard, tx)

        hear(world, how, work)
        await world.start()

        await world.deliver(finished(world), finished(world))
        await world.settle()
        await world.deliver(finished(world))
        await world.settle()

        assert len(worked) == 1
        assert len(await world.answers()) == 1

    @HOW
    async def test_redelivery_changes_nothing(self, world: World, how: str) -> None:
        hear(world, how, say_answer)
        await world.start()
        await world.deliver(*(finished(world, f"r{n % 3}", n) for n in range(20)))
        await world.deliver_raw(b"{", headers=(("ce_id", b"\xff"),))
        await world.settle()
        before = await world.answers(), await world.dead_letters()

        await world.redeliver()
        await world.settle()

        assert (await world.answers(), await world.dead_letters()) == before
        assert len(before[0]) == 20

    @HOW
    async def test_facts_of_one_key_are_heard_in_order(self, world: World, how: str) -> None:
        heard_of: dict[str, list[int]] = {}

        async def work(heard: Heard[Event], _: Tx) -> None:
            await asyncio.sleep(0)
            assert isinstance(heard.event, RunFinished)
            heard_of.setdefault(heard.event.run.run_id, []).append(heard.event.finished_at.microsecond)

        hear(world, how, work)
        await world.start()

        await world.deliver(*(finished(world, f"r{n % 7}", n) for n in range(140)))
        await world.settle()

        assert heard_of == {f"r{n}": list(range(n, 140, 7)) for n in range(7)}

    @HOW
    async def test_unknown_and_unwanted_types_are_skipped(self, world: World, how: str) -> None:
        hear(world, how, say_answer)
        await world.start()
        task = TaskKey(team=world.team, dag_id="d", run_id="r", task_id="t").attempt(1)

        await world.deliver(AssetUpdated(task=task, uri="s3://a", updated_at=AT))
        unknown = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": "outrider.of.tomorrow.v9", "ce_source": "/x"}
        await world.deliver_raw(b"no json", headers=tuple((k, v.encode()) for k, v in unknown.items()))
        await world.deliver(finished(world))
        await world.settle()

        assert len(await world.answers()) == 1
        assert await world.dead_letters() == []

    @HOW
    async def test_poison_becomes_a_dead_letter_byte_for_byte_and_holds_nobody_up(self, world: World, how: str) -> None:
        hear(world, how, say_answer)
        await world.start()
        spelt = encode(finished(world), source="/t")
        good = dict(spelt.headers)
        changed = {"ce_type": RunFinished.type.encode()}
        poison: list[tuple[str, bytes | None, RawHeaders]] = [
            ("headers", b"{}", (("ce_id", b"\xff\xfe"), ("x", None))),
            ("headers", b"{}", ()),
            ("headers", b"{}", (("ce_specversion", b"1.0"), ("ce_id", None), ("ce_id", None))),
            ("headers", spelt.value, tuple({**good, "ce_id": b"a\0b"}.items())),
            ("headers", spelt.value, tuple({**good, "ce_id": b"x" * 3000}.items())),
            ("value", b"\xff\xff{", tuple({**good, **changed, "x": b"a\0\xff"}.items())),
            ("value", None, tuple({**good, **changed}.items())),
            ("validate", b'{"run": 7}', tuple({**good, **changed}.items())),
        ]

        for _, value, headers in poison:
            await world.deliver_raw(value, key=b"\xff\0key", headers=headers)
        await world.deliver(finished(world))
        await world.settle()

        letters = await world.dead_letters()
        assert len(await world.answers()) == 1
        assert [letter.header("dlq-stage") for letter in letters] == [stage for stage, _, _ in poison]
        for letter, (_, value, headers) in zip(letters, poison, strict=True):
            assert (letter.key, letter.value) == (b"\xff\0key", value)
            assert letter.headers[: len(headers)] == headers
            assert letter.header("dlq-origin-topic") == world.topic
            assert letter.header("dlq-group") == world.group
            assert letter.header("dlq-reason")

    @HOW
    async def test_a_refusal_is_an_answer_and_not_a_failure(self, world: World, how: str) -> None:
        async def work(heard: Heard[Event], tx: Tx) -> None:
            await say_answer(heard, tx)
            assert isinstance(heard.event, RunFinished)
            if heard.event.run.run_id == "refused":
                raise RefusedError("no")

        hear(world, how, work)
        await world.start()

        await world.deliver(finished(world, "a"), finished(world, "refused"), finished(world, "b"))
        await world.settle()

        assert len(await world.answers()) == 3
        assert await world.dead_letters() == []

    @HOW
    async def test_an_outage_is_waited_out(self, world: World, how: str) -> None:
        """However often it fails: nothing is given up, nothing is said twice."""
        outage = 12

        async def work(heard: Heard[Event], tx: Tx) -> None:
            nonlocal outage
            await say_answer(heard, tx)
            if outage:
                outage -= 1
                raise UnavailableError("away")

        hear(world, how, work)
        await world.start()

        await world.deliver(*(finished(world, at=n) for n in range(3)))
        await world.until(lambda: outage == 0)
        await world.settle()

        assert len(await world.answers()) == 3
        assert await world.dead_letters() == []

    @HOW
    async def test_a_sick_lane_parks_while_others_flow_and_heals_in_order(self, world: World, how: str) -> None:
        sick = True
        order: list[int] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            assert isinstance(heard.event, RunFinished)
            await say_answer(heard, tx)
            if heard.event.run.run_id == "sick" and sick:
                raise RuntimeError("a bug")
            if heard.event.finished_at.microsecond not in order:  # a batch that failed is worked off once more
                order.append(heard.event.finished_at.microsecond)

        hear(world, how, work)
        await world.start(gives_up=False)

        await world.deliver(finished(world, "sick", 1), finished(world, "sick", 2), finished(world, "well", 3))
        await world.deliver(finished(world, "sick", 4), finished(world, "well", 5))
        await world.settle()
        before = list(order)
        sick = False
        await world.until(lambda: len(order) == 5)
        await world.deliver(finished(world, "sick", 6))
        await world.until(lambda: len(order) == 6)  # it may have been queued behind what was parked
        await world.settle()

        assert before == [3, 5]
        assert order == [3, 5, 1, 2, 4, 6]
        assert len(await world.answers()) == 6
        assert await world.dead_letters() == []

    @HOW
    async def test_a_sick_lane_stays_in_order_when_its_records_are_delivered_again(
        self, world: World, how: str
    ) -> None:
        """Parked records outlive the process; what comes later still queues behind them, and none is parked twice."""
        sick = True
        order: list[int] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            assert isinstance(heard.event, RunFinished)
            await say_answer(heard, tx)
            if sick:
                raise RuntimeError("a bug")
            order.append(heard.event.finished_at.microsecond)

        hear(world, how, work)
        await world.start(gives_up=False)

        await world.deliver(finished(world, at=1), finished(world, at=2))
        await world.settle()
        await world.redeliver()
        await world.deliver(finished(world, at=3))
        await world.settle()
        sick = False
        await world.until(lambda: len(order) == 3)
        await world.settle()

        assert order == [1, 2, 3]
        assert len(await world.answers()) == 3

    @HOW
    async def test_a_sick_lane_stays_sick_when_the_service_starts_anew(self, world: World, how: str) -> None:
        """What comes later must not overtake what was parked before."""
        sick = True
        order: list[int] = []

        async def work(heard: Heard[Event], _: Tx) -> None:
            assert isinstance(heard.event, RunFinished)
            if sick:
                raise RuntimeError("a bug")
            order.append(heard.event.finished_at.microsecond)

        hear(world, how, work)
        await world.start(gives_up=False)

        await world.deliver(finished(world, at=1), finished(world, at=2))
        await world.settle()
        await world.stop()
        sick = False
        await world.deliver(finished(world, at=3))
        await world.start()
        await world.until(lambda: len(order) == 3)

        assert order == [1, 2, 3]

    @HOW
    async def test_what_always_fails_is_given_up_after_five_tries_and_its_lane_goes_on(
        self, world: World, how: str
    ) -> None:
        tries = 0
        done: list[tuple[int, int]] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            nonlocal tries
            assert isinstance(heard.event, RunFinished)
            await say_answer(heard, tx)
            if heard.event.finished_at.microsecond == 1:
                tries += 1
                raise RuntimeError("a bug for ever")
            done.append((heard.event.finished_at.microsecond, tries))

        hear(world, how, work)
        await world.start()

        await world.deliver(finished(world, at=1), finished(world, at=2))
        await world.until(lambda: bool(done))
        await world.settle()

        [letter] = await world.dead_letters()
        assert tries in ([5] if how == "lanes" else [5, 6])  # a batch that fails is taken apart first
        assert done == [(2, tries)]
        assert letter.header("dlq-stage") == "handle"
        assert letter.header("dlq-attempts") == "5"
        assert letter.header("dlq-reason") == "RuntimeError: a bug for ever"
        assert letter.header("ce_id") == finished(world, at=1).id
        assert len(await world.answers()) == 1

    async def test_one_bad_record_does_not_spoil_its_batch(self, world: World) -> None:
        """It parks alone: the others of the batch are kept, and so are those behind it in its partition."""
        sick = True
        healed: list[str] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            assert isinstance(heard.event, RunFinished)
            await say_answer(heard, tx)
            if heard.event.run.run_id == "bad":
                if sick:
                    raise RuntimeError("a bug")
                healed.append(heard.envelope.id)

        hear(world, "batches", work)
        await world.start(gives_up=False)

        await world.deliver(*(finished(world, "bad" if n == 5 else f"r{n}", n) for n in range(10)))
        await world.settle()
        before = await world.answers()
        sick = False
        await world.until(lambda: bool(healed))
        await world.settle()

        assert len(before) == 9
        assert len(await world.answers()) == 10
        assert await world.dead_letters() == []

    async def test_a_copy_goes_to_the_team_and_a_raw_record_goes_once_per_id(self, world: World) -> None:
        async def work(heard: Heard[Event], tx: Tx) -> None:
            await tx.say(answer(heard), cause=heard, team_copies=True)
            for _ in range(2):
                await tx.say_raw(answer(heard).topic, world.team, b'{"plain": 1}', {"x": "y"}, id=f"{world.team}-1")

        hear(world, "lanes", work)
        await world.start()

        await world.deliver(finished(world))
        await world.settle()

        [said, raw] = await world.answers()
        assert await world.records_of(f"outrider.team.{world.team}.events.v1") == [said]
        assert (raw.value, raw.headers) == (b'{"plain": 1}', (("x", b"y"),))

    async def test_a_handler_that_needs_no_transaction_is_done(self, world: World) -> None:
        heard_of: list[str] = []

        async def only_look(heard: Heard[Event], _: Begin) -> None:
            heard_of.append(heard.envelope.id)

        handlers: dict[type[Event], LaneHandler] = {RunFinished: only_look}
        world.bus.lanes(group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key())
        await world.start()

        await world.deliver(finished(world))
        await world.settle()

        assert heard_of == [finished(world).id]

    async def test_lanes_run_side_by_side(self, world: World) -> None:
        together = asyncio.Barrier(5)
        met: list[int] = []

        async def work(_: Heard[Event], begin: Begin) -> None:
            async with asyncio.timeout(self.patience_seconds), begin():
                met.append(await together.wait())

        handlers: dict[type[Event], LaneHandler] = {RunFinished: work}
        world.bus.lanes(group=world.group, topics=[world.topic], handlers=handlers, lane=lambda e: e.key())
        await world.start()

        await world.deliver(*(finished(world, f"r{n}") for n in range(5)))
        await world.settle()

        assert len(met) == 5

    @HOW
    async def test_handling_again_is_told_to_the_handler_and_known_in_its_own_scope(
        self, world: World, how: str
    ) -> None:
        """What the group has done is known under its own name; another scope has it done once more, and once only."""
        heard_of: list[bool] = []

        async def work(heard: Heard[Event], tx: Tx) -> None:
            heard_of.append(heard.replayed)
            await say_answer(heard, tx)

        hear(world, how, work)
        await world.start()
        await world.deliver(finished(world))
        await world.settle()

        own = await world.handle_again(scope=world.group)
        anew = [await world.handle_again(scope=f"{world.group}#7") for _ in range(2)]
        await world.settle()

        assert [[one.kind for one in each] for each in (own, *anew)] == [["known"], ["done"], ["known"]]
        assert heard_of == [False, True]

    @HOW
    async def test_what_is_never_to_be_handled_again_is_left_out(self, world: World, how: str) -> None:
        heard_of: list[str] = []

        async def work(heard: Heard[Event], _: Tx) -> None:
            heard_of.append(heard.envelope.id)

        hear(world, how, work, never_again={RunFinished: "it ends in a removal"})
        await world.start()
        await world.deliver(finished(world))
        await world.deliver_raw(b"no json")
        await world.settle()

        outcomes = await world.handle_again(scope="another")
        failed, left_out = sorted(outcomes, key=lambda one: one.kind)  # two partitions are read in any order

        assert left_out == Outcome("left_out", "it ends in a removal")
        assert (failed.kind, failed.reason[:8]) == ("failed", "headers:")
        assert len(heard_of) == 1

    @HOW
    async def test_what_fails_again_is_told_and_keeps_nothing(self, world: World, how: str) -> None:
        errors: list[Exception] = [RuntimeError("a bug"), UnavailableError("away"), RefusedError("no")]

        async def work(heard: Heard[Event], tx: Tx) -> None:
            await say_answer(heard, tx)
            if heard.replayed and errors:
                raise errors.pop(0)

        hear(world, how, work)
        await world.start()
        await world.deliver(finished(world))
        await world.settle()

        [failed] = await world.handle_again(scope="another")
        with pytest.raises(UnavailableError):
            await world.handle_again(scope="another")
        [refused] = await world.handle_again(scope="another")
        [known] = await world.handle_again(scope="another")

        assert failed == Outcome("failed", "RuntimeError: a bug")
        assert refused == Outcome("refused", "no")
        assert known == Outcome("known")
