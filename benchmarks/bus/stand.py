"""Where the bench runs: a real Kafka and PostgreSQL, started by the code of `outrider up`, and a process per contender.

A contender is an async function `contender(place: Place, **parameters) -> dict of figures`, named "module:function".
Each one runs in a process of its own, so that its CPU time and memory are nobody else's, on a fresh database.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic
from outrider_bus.kafka import KafkaAddress
from outrider_contracts.envelope import Record
from outrider_contracts.topics import TopicSpec
from outrider_local import kafka, prerequisites
from outrider_local.components import all_components
from outrider_local.handles import RunningKafka, RunningPostgres
from outrider_local.postgres_roles import run_statement
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

_NEEDS = ("topics", "postgres")


@dataclass(frozen=True)
class Place:
    """What a contender is given: Kafka as its administrator, and an empty database."""

    kafka: KafkaAddress
    dsn: str


@dataclass(frozen=True)
class Stand:
    """The running Kafka and PostgreSQL."""

    stack: Stack

    def make_topic(self, name: str, *, partitions: int = 6) -> str:
        """Make a topic with a name of its own that begins with *name*, and give its name."""
        topic = f"outrider.bench.{name}-{uuid.uuid4().hex[:8]}"
        self.make_topics({topic: partitions})
        return topic

    def make_topics(self, partitions: Mapping[str, int]) -> None:
        """Make these topics where they are not there yet."""
        admin = kafka.admin(self.stack)
        there = admin.list_topics(timeout=20).topics
        configured = {name: TopicSpec(name, "", "").configuration for name in partitions if name not in there}
        new = [NewTopic(name, partitions[name], 1, config=config) for name, config in configured.items()]
        for future in admin.create_topics(new).values() if new else ():
            future.result(20)

    def fill(self, topic: str, records: Iterable[Record]) -> None:
        """Append *records* to *topic*, with the fastest client there is."""
        config = {**RunningKafka(self.stack).client_config(), "acks": "all", "linger.ms": 20}
        producer = Producer({**config, "queue.buffering.max.messages": 200_000})
        for record in records:
            producer.poll(0)
            while True:
                try:
                    producer.produce(topic, value=record.value, key=record.key, headers=list(record.headers))
                    break
                except BufferError:
                    producer.poll(0.1)
        if producer.flush(120):
            raise SystemExit("Kafka did not take the records within two minutes")

    def run(self, contender: str, **parameters: Any) -> dict[str, float]:
        """Run *contender* ("module:function") in a process of its own; gives its figures."""
        with self._place() as place:
            given = json.dumps({"place": asdict(place), "parameters": parameters})  # not on the command line: a secret
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.bus.child", contender],
                input=given, text=True, stdout=subprocess.PIPE, check=False,
            )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{contender} failed; what it said is above")
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    @contextmanager
    def _place(self) -> Iterator[Place]:
        postgres, broker = RunningPostgres(self.stack), RunningKafka(self.stack)
        address = KafkaAddress(broker.bootstrap, "admin", broker.password_file().read_text())
        database = postgres.database("bench")
        try:
            yield Place(address, database.dsn)
        finally:
            name = database.url.rsplit("/", 1)[1]
            drop = run_statement(postgres.port, self.stack.secrets, f'DROP DATABASE "{name}" WITH (FORCE)')
            asyncio.run(drop)


@contextmanager
def open_stand(home: Path | None) -> Iterator[Stand]:
    """The stack at *home*, which runs already; or one of the bench's own, gone afterwards."""
    if home:
        yield Stand(Stack.open(home))
        return
    began = time.monotonic()
    # not private to its user: the database server runs as another one
    own = Path(tempfile.mkdtemp(prefix="outrider-bench-"))
    own.chmod(0o755)
    stack = Stack.open(own)
    with stack.exclusively():
        try:
            prerequisites.ensure(prerequisites.of_kafka(stack.layout), print)
            outcome = bring_up(stack, with_needs(_NEEDS, all_components()))
            if outcome.failed:
                raise SystemExit("\n".join(f"{name}: {why}" for name, why in outcome.failed.items()))
            print(f"Kafka and PostgreSQL are up after {time.monotonic() - began:.0f} s", file=sys.stderr)
            yield Stand(stack)
        finally:
            remove(stack, all_components())
