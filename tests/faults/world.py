"""A world to be disturbed: its load is drawn from a seed, and its end is compared with that of an undisturbed run."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from outrider_bus.kafka import KafkaAddress
from outrider_bus.records import RawRecord
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import encode
from outrider_local.handles import RunningKafka, RunningPostgres
from outrider_local.stack import Stack

from tests.faults.oracle import Outcome, undisturbed
from tests.faults.worker import Orders
from tests.faults.workload import TABLES, facts
from tests.integration.bus.real_world import RealWorld, eventually
from tests.unit.bus.promises import AT

_SETTLE_SECONDS = 180.0
_LOOK_SECONDS = 0.3


class FaultWorld(RealWorld):
    """One group with a topic and a database of its own, on a stack whose parts may be away."""

    how: str
    load: Iterator[RunFinished | bytes]
    told: set[str]

    @classmethod
    @asynccontextmanager
    async def on(cls, stack: Stack, how: str, *, seed: str, poison: bool = True) -> AsyncIterator["FaultWorld"]:
        """A world of its own on the running *stack*."""
        kafka, postgres = RunningKafka(stack), RunningPostgres(stack)
        database = await asyncio.to_thread(postgres.database, "faults")
        address = KafkaAddress(kafka.bootstrap, "admin", kafka.password_file("admin").read_text())
        world = await cls.open(address, database.dsn)
        await world.pool.execute(TABLES)
        world.how = how
        world.load = facts(world.team, random.Random(seed), how, poison=poison)
        world.told = set()
        try:
            yield world
        finally:
            await world.close()

    @property
    def orders(self) -> Orders:
        """What its workers are told."""
        return Orders(self.address, self.dsn, self.group, self.topic, self.how)

    async def tell(self, count: int) -> None:
        """Append the next *count* facts; returns once Kafka has them."""
        sent = []
        for fact in (next(self.load) for _ in range(count)):
            if isinstance(fact, bytes):
                sent.append(self._surely(fact, None, ()))
            else:
                spelt = encode(fact, source="/test")
                self.told.add(fact.id)
                sent.append(self._surely(spelt.value, spelt.key.encode(), spelt.headers))
        await asyncio.gather(*sent)

    async def _surely(self, value: bytes, key: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> None:
        while True:
            try:
                await self.deliver_raw(value, key=key, headers=headers)
                return
            except KafkaError:  # a sender says it again; what comes of that is in the log, and the log is the workload
                await asyncio.sleep(_LOOK_SECONDS)

    async def settle(self, *, seconds: float = _SETTLE_SECONDS) -> None:
        """Wait until nothing is behind, parked or waiting to be sent."""
        consumer = AIOKafkaConsumer(**self.address.client_options, group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            await eventually(lambda: self._rests(consumer), seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"not settled after {seconds} s: {await self._state(consumer)}") from None
        finally:
            await consumer.stop()

    async def _rests(self, consumer: AIOKafkaConsumer) -> bool:
        await asyncio.sleep(_LOOK_SECONDS)
        state = await self._state(consumer)
        return not any(state.values())

    async def _state(self, consumer: AIOKafkaConsumer) -> dict[str, int]:
        partitions = await self._partitions(consumer, self.topic)
        ends = await consumer.end_offsets(partitions)
        behind = sum([end - (await consumer.committed(partition) or 0) for partition, end in ends.items()])
        rows = {table: await self.pool.fetchval(f"SELECT count(*) FROM bus.{table}") for table in ("parked", "outbox")}
        return {"behind": behind, **rows}

    async def assert_undisturbed(self) -> None:
        """Tables and the set of what was said are those of a run of the same log that nothing happened to."""
        log = await self._log()
        expected, found = undisturbed(log), await self._outcome()
        missing = self.told - {value.decode() for r in log for name, value in r.headers if name == "ce_id" and value}

        assert not missing, "the test itself lost facts"
        assert found.chains == expected.chains
        assert found.said == expected.said
        assert found.in_order_of(expected) == expected.order
        assert found.dead == expected.dead

    async def _log(self) -> list[RawRecord]:
        return [
            RawRecord(r.topic, r.partition, r.offset, AT, r.key, r.value, tuple(r.headers))
            for _, r in await self._everything(self.topic)
        ]

    async def _outcome(self) -> Outcome:
        rows = await self.pool.fetch("SELECT key, links, hash FROM chain")
        outcome = Outcome({row["key"]: (row["links"], row["hash"]) for row in rows})
        for letter in await self.answers():
            if (said := (letter.header("ce_id"), letter.value)) not in outcome.said:
                outcome.said.add(said)
                outcome.order.setdefault("", []).append(said[0])
        for letter in await self.dead_letters():
            origin = "/".join(letter.header(f"dlq-origin-{part}") for part in ("topic", "partition", "offset"))
            outcome.dead.add((origin, letter.value))
        return outcome
