"""A team's part of Kafka, tried with the team's own credentials."""

import asyncio
import time
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from outrider_contracts.topics import team_events, team_inbox
from tenancy.domain.teams import Wanted

from tests.integration.tenancy.systems import Systems, changed, new_team

DENIED = KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.fixture(scope="module")
async def pair(systems: Systems) -> tuple[Wanted, Wanted]:
    """Two teams, the id of one beginning with that of the other."""
    one = new_team()
    other = Wanted(f"{one.team}s", uuid4().hex, one.spec)
    for team in (one, other):
        await systems.kafka_provisioner.apply(team)
    return one, other


async def test_a_team_writes_its_inbox_alone(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, other = pair
    own = await systems.kafka_of(one)

    assert await produce(own, team_inbox(one.team)) is None
    for topic in (team_events(one.team), team_inbox(other.team), "outrider.airflow.v1", "outrider.tenants.desired.v1"):
        assert await produce(own, topic) == DENIED, topic


async def test_a_team_reads_its_own_topics_alone(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, other = pair
    own = await systems.kafka_of(one)

    assert await consume(own, team_inbox(one.team), f"outrider.team.{one.team}.jobs") is None
    for topic in (team_events(other.team), team_inbox(other.team), "outrider.airflow.v1", "outrider.tenants.status.v1"):
        assert await consume(own, topic, f"outrider.team.{one.team}.jobs") == DENIED, topic


async def test_a_team_joins_no_group_of_another(systems: Systems, pair: tuple[Wanted, Wanted]) -> None:
    one, other = pair

    said = await consume(await systems.kafka_of(one), team_inbox(one.team), f"outrider.team.{other.team}.jobs")

    assert said == KafkaError.GROUP_AUTHORIZATION_FAILED


async def test_suspending_cuts_a_connection_that_is_open(systems: Systems) -> None:
    """An open connection outlives its password; it is the rights that end at once."""
    team = new_team()
    await systems.kafka_provisioner.apply(team)
    producer = Producer({**await systems.kafka_of(team), "message.timeout.ms": 40_000})
    assert await send(producer, team_inbox(team.team)) is None

    await systems.kafka_provisioner.apply(changed(team, lifecycle="Suspended"))

    assert await send(producer, team_inbox(team.team)) == DENIED


async def test_a_team_that_produces_beyond_its_quota_is_slowed_down(systems: Systems) -> None:
    """Ten times the rate over the broker's window of eleven seconds."""
    team = new_team(kafka={"produceBytesPerSecond": "20k"})
    await systems.kafka_provisioner.apply(team)
    throttled: list[float] = []
    producer = Producer(
        {**await systems.kafka_of(team), "throttle_cb": lambda event: throttled.append(event.throttle_time)}
    )  # fmt: skip
    for _ in range(220):
        producer.produce(team_inbox(team.team), bytes(10_000))

    deadline = time.monotonic() + 60
    while not throttled and time.monotonic() < deadline:
        await asyncio.to_thread(producer.poll, 0.5)

    assert throttled
    producer.purge()


async def test_a_right_somebody_added_by_hand_is_taken_back(systems: Systems) -> None:
    team = new_team()
    await systems.kafka_provisioner.apply(team)
    admin = systems.kafka_provisioner._admin
    (some,) = [right for right in await admin.rights_of(f"User:{team.names.kafka_user}") if right.operation == "WRITE"]
    stray = type(some)("TOPIC", "outrider.airflow.v1", "LITERAL", "READ", some.principal)
    await admin.allow([stray])

    applied = await systems.kafka_provisioner.apply(team)

    assert [str(change) for change in applied.changes] == [f"right.delete {stray}"]
    assert await systems.kafka_provisioner.plan(team) == ()


async def produce(config: dict[str, str], topic: str) -> int | None:
    """Send one record; the error's code, None if it was taken."""
    return await send(Producer({**config, "message.timeout.ms": 40_000}), topic)


async def send(producer: Producer, topic: str) -> int | None:
    answers: list[int | None] = []
    producer.produce(topic, b"{}", on_delivery=lambda error, _: answers.append(error.code() if error else None))
    await asyncio.to_thread(producer.flush, 60)
    return answers[0]


async def consume(config: dict[str, str], topic: str, group: str) -> int | None:
    """Read from the beginning; the error's code, None if a record or the end of the topic came."""
    consumer = Consumer(
        {**config, "group.id": group, "auto.offset.reset": "earliest", "enable.partition.eof": True}
    )  # fmt: skip
    consumer.subscribe([topic])
    message = await asyncio.to_thread(consumer.poll, 60)
    await asyncio.to_thread(consumer.close)
    assert message is not None, f"no answer for {topic}"
    error = message.error()
    return None if error is None or error.code() == KafkaError._PARTITION_EOF else error.code()
