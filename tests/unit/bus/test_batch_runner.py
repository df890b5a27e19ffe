"""The batch runner where things hang, take too long or are cancelled from within; its database is a script."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from outrider_bus import inbox
from outrider_bus.counters import Counters
from outrider_bus.deadletters import Why
from outrider_bus.handling import batches, shifts
from outrider_bus.handling.batches import BatchRunner, BatchTx, Job
from outrider_bus.handling.parkinglot import ParkingLot
from outrider_bus.handling.patience import attempt
from outrider_bus.handling.shifts import LaneRunner
from outrider_bus.ports import RefusedError, StaleEpochError, UnavailableError
from outrider_bus.reading.assignment import WINDOW, Assignment
from outrider_bus.records import RawRecord, cloud_event
from outrider_bus.timing import Timing
from outrider_contracts.airflow import RunStarted

AT = datetime(2026, 11, 1, tzinfo=UTC)
PARTITION = TopicPartition("t", 0)
QUICK = Timing(drain=0.01, outage_first=0.001, outage_cap=0.001)


def record(offset: int, topic: str = "t", key: bytes = b"ads/d", **more: Any) -> RawRecord:
    return RawRecord(topic, 0, offset, more.pop("at", AT), key, b"{}", more.pop("headers", ()))


class Lot:
    """A parking lot with nothing in it; tending the first one made takes as long as *gate* is shut."""

    made = 0
    gate: asyncio.Event

    def __init__(self, *_: object, **__: object) -> None:
        self.sick: set[str] = set()
        self._waits = type(self).made == 0
        type(self).made += 1

    async def learn(self) -> None:
        """Nobody is sick; to hear so takes a moment."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def tend_due(self) -> float:
        if self._waits:
            await self.gate.wait()
        return 60.0


@pytest.fixture
def lot(monkeypatch: pytest.MonkeyPatch) -> type[Lot]:
    Lot.made, Lot.gate = 0, asyncio.Event()
    monkeypatch.setattr(batches, "ParkingLot", Lot)
    return Lot


def runner(work_off: Callable[[Sequence[Job]], Any], *, most: int = 100) -> BatchRunner:
    async def keep(jobs: Sequence[Job], *_: object, **__: object) -> None:
        await work_off(jobs)

    work = SimpleNamespace(
        group="g", counters=Counters("g"), database=None, retry=None, give_up=None, work_off=keep,
        sort=lambda raw: Job(raw, ("t", str(raw.offset)), None, None),
    )  # fmt: skip
    return BatchRunner(cast("Any", work), max_records=most, timing=QUICK, progress=lambda: None)


def given(running: BatchRunner, count: int) -> Assignment:
    """An assignment that *count* records come of."""
    assignment = Assignment([PARTITION])
    running.assigned(assignment)
    records = [record(offset) for offset in range(count)]
    for one in records:
        assignment.feed(one)
    running.feed(records)
    return assignment


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


async def test_a_worker_that_hung_beyond_its_assignment_takes_nothing_of_the_next(lot: type[Lot]) -> None:
    """Tending sick lanes may last as long as the database stands still."""
    kept: list[int] = []

    async def keep(jobs: Sequence[Job]) -> None:
        kept.extend(job.record.offset for job in jobs)

    running = runner(keep)
    before = Assignment([PARTITION])
    running.assigned(before)
    await running.drain()
    before.active = False
    lot.gate.set()
    now = given(running, 30)

    await until(lambda: now.in_flight == 0)

    assert kept == list(range(30))
    await running.drain()


async def test_what_takes_longer_than_a_transaction_may_is_kept_in_portions(lot: type[Lot]) -> None:
    """The database ends a long one, and all of it was for nothing; the next try is half as long."""
    lot.gate.set()
    kept: set[int] = set()
    sizes: list[int] = []

    async def keep(jobs: Sequence[Job]) -> None:
        sizes.append(len(jobs))
        if len(jobs) > 10:
            raise UnavailableError("transaction timeout")
        kept.update(job.record.offset for job in jobs)

    running = runner(keep)
    assignment = given(running, 100)

    await until(lambda: assignment.in_flight == 0)

    assert kept == set(range(100))
    assert sizes[:5] == [100, 50, 25, 12, 6]
    await running.drain()


async def test_a_cancellation_out_of_a_handler_is_its_records_failure_and_one_of_ours_is_none() -> None:
    """A future that somebody else has cancelled looks the same as the end of the task."""

    async def awaits_what_is_cancelled() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    assert "cancelled" in str(await attempt(awaits_what_is_cancelled, Counters("g")))

    task = asyncio.create_task(attempt(asyncio.Event().wait, Counters("g")))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_many_sick_lanes_those_are_tended_that_have_waited_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    lot = ParkingLot(cast("Any", SimpleNamespace(database=None, counters=Counters("g"))), Assignment(()), Timing())
    lot.sick = {f"lane {number}" for number in range(50)}
    tended: list[str] = []

    async def tend(lane: str) -> float:
        tended.append(lane)
        return 0.0

    monkeypatch.setattr(lot, "tend", tend)
    for _ in range(5):
        await lot.tend_due()

    assert sorted(tended) == sorted(lot.sick)


async def test_nothing_is_parked_behind_the_back_of_a_partitions_new_owner() -> None:
    """It learned which lanes are sick when it began."""

    class Connection:
        async def execute(self, *_: object) -> None:
            """Nothing is kept that raises before the commit."""

    class Database:
        def begin(self) -> "Database":
            return self

        async def __aenter__(self) -> SimpleNamespace:
            return SimpleNamespace(connection=Connection())

        async def __aexit__(self, *_: object) -> None:
            """Rolls back."""

    work, assignment = SimpleNamespace(database=Database(), counters=Counters("g")), Assignment(())
    assignment.active = False
    lot = ParkingLot(cast("Any", work), assignment, Timing())

    with pytest.raises(StaleEpochError):
        await lot.park("lane", record(1), ValueError("bad"))
    with pytest.raises(StaleEpochError):
        await lot.queue("lane", [record(2)])
    assert not lot.sick


def test_headers_take_room_too() -> None:
    """A flood of them is not read ahead without end."""
    assignment = Assignment([PARTITION])
    assignment.feed(record(0, headers=(("h", b"x" * WINDOW),)))

    assert assignment.with_room() == frozenset()


def test_a_topic_that_was_made_anew_has_other_poison_at_the_same_offset() -> None:
    assert inbox.key(record(7), None) != inbox.key(record(7, at=AT.replace(day=2)), None)


def test_a_team_has_one_turn_in_its_own_topic_whatever_its_keys() -> None:
    own = [record(n, topic="outrider.team.ads.lineage.v1", key=f"{n}/x".encode()).owner for n in range(3)]

    assert own == ["ads"] * 3
    assert record(1, key=b"ops/d").owner == "ops"


class Kept:
    """A database that keeps what a refusal ends, and nothing of what another error does."""

    def __init__(self) -> None:
        self.kept: list[object] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SimpleNamespace]:
        said: list[object] = []

        async def fetch(_query: str, _group: str, _topics: list[str], ids: list[str]) -> list[str]:
            return ids

        async def execute(*row: object) -> None:
            said.append(row)

        try:
            yield SimpleNamespace(connection=SimpleNamespace(fetch=fetch, execute=execute), put=said.append)
        except RefusedError:
            self.kept += said
            raise
        self.kept += said


def refusing(database: Kept) -> BatchTx:
    async def refuse(*_: object) -> None:
        raise RefusedError("no")

    types = frozenset({RunStarted})
    return BatchTx("g", types, refuse, cloud_event, cast("Any", database), "outrider.dlq.s", Counters("g"))


def fact(offset: int) -> Job:
    heard = SimpleNamespace(envelope=SimpleNamespace(id=str(offset)))
    return Job(record(offset), ("t", str(offset)), cast("Any", heard))


async def test_a_dead_letter_is_counted_also_where_its_batch_was_refused() -> None:
    """It was kept, and is on its way."""
    database = Kept()
    work = refusing(database)
    poison = Job(record(1), ("t", "@1"), None, Why("value", "no JSON"))

    with pytest.raises(RefusedError):
        await work.work_off([poison, fact(2)], Assignment([PARTITION]))

    assert len(database.kept) == 1
    assert work.counters.dead_letters == 1


async def test_a_refusal_parks_nothing_behind_the_back_of_a_partitions_new_owner() -> None:
    database, assignment, sick = Kept(), Assignment([PARTITION]), record(1, key=b"ops/d")
    assignment.active = False
    behind = Job(sick, ("t", "1"), cast("Any", SimpleNamespace()))

    with pytest.raises(StaleEpochError):
        await refusing(database).work_off([behind, fact(2)], assignment, sick={behind.lane})

    assert not database.kept


class LateLot(Lot):
    """The database is away when a group begins; it is there again once *gate* opens."""

    looks = 0

    async def learn(self) -> None:
        type(self).looks += 1
        if type(self).looks == 1:
            raise UnavailableError("PostgreSQL is away")
        await self.gate.wait()

    async def look_again(self) -> set[str]:
        return set()


@pytest.mark.parametrize("kind", ["batches", "lanes"])
async def test_a_group_that_has_nothing_to_do_waits_for_nobody_once_its_database_is_there(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is said to wait until somebody says something, which may be days."""
    LateLot.looks, LateLot.gate = 0, asyncio.Event()
    for module in (batches, shifts):
        monkeypatch.setattr(module, "ParkingLot", LateLot)
    work: Any = SimpleNamespace(group="g", counters=Counters("g"))
    running: BatchRunner | LaneRunner = (
        BatchRunner(work, max_records=1, timing=QUICK, progress=lambda: None)
        if kind == "batches"
        else LaneRunner(work, concurrency=1, timing=QUICK, progress=lambda: None)
    )

    running.assigned(Assignment([PARTITION]))
    await until(lambda: work.counters.is_waiting)
    LateLot.gate.set()
    await until(lambda: not work.counters.is_waiting)

    await running.drain()
