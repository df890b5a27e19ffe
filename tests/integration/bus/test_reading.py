"""What stands between the log and the runner: nothing that lies in a topic may stop or pass over anything."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from outrider_bus.handling.parking import lane_of_key, park
from outrider_bus.ports import Connection
from outrider_bus.records import RawHeaders, raw
from outrider_contracts.envelope import encode
from outrider_contracts.event import Event

from tests.integration.bus.odd_records import send_odd_name
from tests.integration.bus.real_world import QUICK, RealWorld, eventually
from tests.unit.bus.promises import HOW, finished, hear, say_answer


def spelt(event: Event) -> tuple[bytes, RawHeaders]:
    record = encode(event, source="/test")
    return record.value, record.headers


@HOW
async def test_header_names_that_are_no_text_stop_nobody(world: RealWorld, how: str) -> None:
    """Any team can write such a record to its inbox, and the client library can't get past it by itself."""
    hear(world, how, say_answer)
    await world.start()
    facts = [finished(world, at=n) for n in range(8)]
    nonsense: tuple[bytes, RawHeaders] = (b"{", ())

    await world.deliver(*facts[:2])
    await send_odd_name(world.producer, world.topic, [spelt(facts[2]), spelt(facts[3]), spelt(facts[4])], odd=1)
    await send_odd_name(world.producer, world.topic, [nonsense, spelt(facts[5])], odd=0)
    await world.deliver(*facts[6:])
    await world.settle()

    assert {letter.header("ce_causationid") for letter in await world.answers()} == {fact.id for fact in facts}
    [letter] = await world.dead_letters()
    assert letter.value == b"{"


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(world: RealWorld, codec: str) -> None:
    """A client chooses how it compresses; a reader that lacks a codec would stand still for ever."""
    hear(world, "batches", say_answer)
    await world.start()
    value, headers = spelt(finished(world))

    async with AIOKafkaProducer(**world.address.client_options, compression_type=codec) as producer:
        await producer.send_and_wait(world.topic, value, key=b"k", headers=list(headers))
    await world.settle()

    assert len(await world.answers()) == 1


async def test_poison_as_large_as_kafka_takes_becomes_a_dead_letter(world: RealWorld) -> None:
    hear(world, "lanes", say_answer)
    await world.start()
    large = b"{" * (1_048_588 - 200)

    await world.deliver_raw(large, key=b"k", headers=(("ce_id", b"x"),))
    await world.settle()

    assert [letter.value for letter in await world.dead_letters()] == [large]


async def test_poison_that_is_larger_than_that_before_it_is_compressed_becomes_a_dead_letter(world: RealWorld) -> None:
    hear(world, "batches", say_answer)
    await world.start()
    large = b"{" * 5_000_000

    options = {**world.address.client_options, "compression_type": "zstd", "max_request_size": 10_000_000}
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(world.topic, large, key=b"k")
    await world.settle()

    assert [letter.value for letter in await world.dead_letters()] == [large]


async def test_a_log_that_ends_with_what_was_taken_back_is_worked_off_to_its_end(world: RealWorld) -> None:
    """Records of an aborted transaction are never handed out; nor is the marker that ends it."""
    hear(world, "lanes", say_answer)
    await world.start()
    value, headers = spelt(finished(world))

    async with AIOKafkaProducer(**world.address.client_options, transactional_id=world.group) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(world.topic, value, key=b"k", headers=list(headers))
        await producer.abort_transaction()
    await world.settle()

    assert await world.answers() == []


@pytest.mark.parametrize("end", ["error", "cancelled"])
async def test_a_broken_consumer_is_made_anew(world: RealWorld, end: str) -> None:
    """aiokafka's coordination may end for good; from then on every poll fails, and stopping it, too."""
    hear(world, "lanes", say_answer)
    await world.start()
    await world.deliver(finished(world, at=1))
    await world.settle()

    subscription = world.buses[0].groups[world.group].subscription
    broken = subscription._subscriber.consumer
    coordinator = broken._coordinator
    coordinator._coordination_task.cancel()
    if end == "error":
        coordinator._coordination_task = asyncio.get_running_loop().create_future()
        coordinator._coordination_task.set_exception(KafkaError("broken for good"))
    await eventually(lambda: subscription.is_assigned and subscription._subscriber.consumer is not broken)
    await world.deliver(finished(world, at=2))
    await world.settle()

    assert len(await world.answers()) == 2


async def test_what_retention_removed_before_the_group_read_it_is_told(world: RealWorld) -> None:
    """The client starts over at what is kept, without a word."""
    hear(world, "lanes", say_answer)
    await world.start()
    await world.deliver(finished(world, at=0))
    await world.settle()
    await world.stop()

    await world.deliver(*(finished(world, at=n) for n in range(1, 4)))
    await world.remove_all()
    await world.start()
    await world.deliver(finished(world, at=4))
    await world.settle()

    assert len(await world.answers()) == 2
    assert world.buses[0].groups[world.group].counters.removed_unread == 3


async def test_records_are_read_while_it_is_asked_what_retention_removed(
    world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gives records of a new share before it has awaited who is told of it: they belong to the new share."""
    answered = asyncio.Event()

    async def slow(*_: object) -> dict[TopicPartition, int]:
        await answered.wait()
        return {}

    monkeypatch.setattr("outrider_bus.reading.subscription.removed_unread", slow)
    hear(world, "lanes", say_answer)
    await world.deliver(finished(world, at=0))
    async with asyncio.timeout(45):  # less than the asking may take
        await world.start(replace(QUICK, drain=60))
        while not await world.answers():
            pass
    answered.set()
    await world.settle()


@HOW
async def test_what_was_parked_behind_the_groups_back_is_found(world: RealWorld, how: str) -> None:
    """By a worker that froze, and thawed when its partitions were another's, who has handled the record meanwhile."""
    hear(world, how, say_answer)
    await world.start()
    fact = finished(world)
    await world.deliver(fact)
    await world.settle()
    [(partition, found)] = await world._everything(world.topic)
    late = raw(partition, found)
    lane = fact.key() if how == "lanes" else lane_of_key(late)

    async with world.pool.acquire() as connection:
        await park(cast(Connection, connection), world.group, lane, late, attempts=1, wait=0, reason="late")
    await eventually(lambda: world.pool.fetchval("SELECT count(*) = 0 FROM bus.parked"))

    assert len(await world.answers()) == 1
