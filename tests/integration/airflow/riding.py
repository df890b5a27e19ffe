"""What the tests do with a running Airflow: bring a team, drop a DAG, trigger it, and hear what was said of it."""

import json
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from confluent_kafka import Consumer, Message, TopicPartition
from outrider_cli.demo.airflow import AirflowUser
from outrider_contracts.airflow import AirflowEvent
from outrider_contracts.envelope import decode, open_envelope
from outrider_local import airflow_config, kafka, postgres
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

TOPIC = "outrider.airflow.v1"
SECONDS = 180.0
"""For what Airflow does within seconds where it has the machine to itself."""
E_ = TypeVar("E_", bound=AirflowEvent)


@dataclass
class Riding:
    """A stack with Kafka, its topics and Airflow, and a person signed in."""

    stack: Stack
    user: AirflowUser

    @classmethod
    def on(cls, stack: Stack) -> "Riding":
        user = AirflowUser.sign_in(airflow_config.url(stack), "admin", stack.secrets.password("airflow-admin"))
        return cls(stack, user)

    def bring_team(self, team: str) -> Path:
        """Do what tenancy does: the team's row, its directory, and the list of bundles replaced whole."""
        self.sql(f"INSERT INTO team (name) VALUES ('{team}') ON CONFLICT DO NOTHING")
        directory = self.stack.layout.bundles / team
        directory.mkdir(parents=True, exist_ok=True)
        file = airflow_config.bundles_file(self.stack)
        listed = {entry["name"]: entry for entry in json.loads(file.read_text())}
        listed[team] = {
            "name": team,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(directory), "refresh_interval": 2},
            "team_name": team,
        }
        beside = file.with_suffix(".new")
        beside.write_text(json.dumps(list(listed.values())))
        beside.replace(file)
        return directory

    def drop_dag(self, team: str, dag_id: str, source: str) -> None:
        """Write the DAG's file and wait until Airflow knows it or says why not."""
        file = self.bring_team(team) / f"{dag_id}.py"
        file.write_text(textwrap.dedent(source))
        known = wait_until(
            lambda: self.user.knows(dag_id) or bool(self.refusals(file.name)), seconds=SECONDS, every=0.2
        )

        assert known, f"Airflow never read {file}"

    def refusals(self, file: str) -> list[str]:
        """What Airflow says of *file*, each on one line."""
        return [error for error in self.user.import_errors() if error.startswith(file)]

    def ride(self, dag_id: str, run_id: str | None = None) -> str:
        """Trigger the DAG and wait for the run's end; returns the run's id."""
        run = self.user.trigger(dag_id, run_id=run_id)
        self.await_end(dag_id, run)
        return run

    def await_end(self, dag_id: str, run_id: str) -> None:
        ended = wait_until(
            lambda: self.user.run_state(dag_id, run_id) in ("success", "failed"), seconds=SECONDS, every=0.1
        )

        assert ended, self.user.tasks(dag_id, run_id)

    def hear(
        self, run_id: str, enough: Callable[[list[AirflowEvent]], bool], *, seconds: float = SECONDS
    ) -> list[AirflowEvent]:
        """Everything said of the run, once *enough* holds or *seconds* have passed."""
        consumer = self._consumer()
        heard: list[AirflowEvent] = []
        deadline = time.monotonic() + seconds
        try:
            while not enough(heard) and time.monotonic() < deadline:
                for message in consumer.consume(500, timeout=0.2):
                    if (message.key() or b"").decode().endswith(f"/{run_id}"):
                        heard.append(_fact(message))
        finally:
            consumer.close()
        return heard

    def hear_dags(self, prefix: str) -> list[AirflowEvent]:
        """Everything said so far of DAGs whose id begins so."""
        consumer = self._consumer()
        ends = {
            place.partition: consumer.get_watermark_offsets(place, timeout=10)[1] for place in consumer.assignment()
        }
        heard: list[AirflowEvent] = []
        try:
            while any(
                0 <= place.offset < ends[place.partition] or (place.offset < 0 < ends[place.partition])
                for place in consumer.position(consumer.assignment())
            ):
                for message in consumer.consume(500, timeout=0.2):
                    if (message.key() or b"").decode().split("/")[1].startswith(prefix):
                        heard.append(_fact(message))
        finally:
            consumer.close()
        return heard

    def _consumer(self) -> Consumer:
        """One that reads the topic from its beginning."""
        consumer = Consumer(
            {**kafka.client_config(self.stack, "admin"), "group.id": "test", "enable.auto.commit": False}
        )
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in partitions])
        return consumer

    def sql(self, statement: str) -> str:
        """Ask Airflow's database."""
        word = self.stack.secrets.password("postgres-airflow")
        address = postgres.url(self.stack, "airflow").replace("airflow@", f"airflow:{word}@")
        psql = postgres.programs(self.stack) / "bin" / "psql"
        done = subprocess.run([psql, address, "-qtAc", statement], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def _fact(message: Message) -> AirflowEvent:
    fact = decode(open_envelope(_headers(message)), message.value())
    assert isinstance(fact, AirflowEvent)
    return fact


def _headers(message: Message) -> list[tuple[str, bytes]]:
    return [(str(name), value) for name, value in list(message.headers() or ()) if isinstance(value, bytes)]


def of(kind: type[E_], facts: Iterable[AirflowEvent]) -> list[E_]:
    """The facts of one kind."""
    return [fact for fact in facts if isinstance(fact, kind)]
