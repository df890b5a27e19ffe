"""How soon an environment is ready: from the record of a run's start to the record that says `ready`.

Runs against the stack that is up (`outrider up`, then a team): announces synthetic runs of one DAG with one declared
task as Airflow's principal and waits for storage's answers. Prints medians and 99th percentiles in milliseconds.
The runs never existed in Airflow, so storage drops them as phantoms.
"""

import argparse
import json
import statistics
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer
from outrider_contracts.airflow import GraphDeclared, RunStarted
from outrider_contracts.declarations import OutputDeclaration, TaskDeclaration
from outrider_contracts.envelope import Record, encode
from outrider_contracts.environments import EnvironmentReady
from outrider_contracts.keys import RunKey
from outrider_local.kafka import client_config
from outrider_local.stack import Stack

SOURCE = "benchmarks/environment_ready"


def announce(team: str, dag_id: str, number: int) -> tuple[GraphDeclared, RunStarted]:
    """The facts the listener says when a run of a one-task DAG starts."""
    run = RunKey(team=team, dag_id=dag_id, run_id=f"bench__{number}")
    now = datetime.now(UTC)
    task = TaskDeclaration(task_id="work", outputs={"result": OutputDeclaration(retention="run")})
    graph = GraphDeclared(run=run, dag_version=dag_id, tasks=(task,))
    return graph, RunStarted(run=run, run_started_at=now, run_after=now, dag_version=dag_id)


def send(producer: Producer, record: Record) -> None:
    """Hand a record to the producer."""
    producer.produce(record.topic, value=record.value, key=record.key, headers=list(record.headers))


def read_ready(message: Message) -> str | None:
    """Run id of an answer, None for other records."""
    value, headers = message.value(), dict(message.headers() or [])
    if value is None or headers.get("ce_type") != EnvironmentReady.type.encode():
        return None
    return str(json.loads(value)["task"]["run_id"])


def measure(stack: Stack, team: str, runs: int, per_second: float) -> list[float]:
    """Seconds from each run's start record to its answer, as the broker's clients stamped and received them."""
    dag_id = f"bench_{uuid.uuid4().hex[:8]}"
    consumer = Consumer(
        {**client_config(stack, "operator"), "group.id": f"outrider.bench.{dag_id}", "auto.offset.reset": "latest"}
    )
    consumer.subscribe([EnvironmentReady.topic])
    while not consumer.assignment():
        consumer.poll(0.1)
    producer = Producer({**client_config(stack, "airflow"), "acks": "all", "linger.ms": 0})
    sent: dict[str, float] = {}
    took: dict[str, float] = {}

    def hear(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            message = consumer.poll(left)
            run_id = read_ready(message) if message is not None and message.error() is None else None
            if run_id is not None and run_id in sent:
                took.setdefault(run_id, time.time() - sent[run_id])

    for number in range(runs):
        graph, started = announce(team, dag_id, number)
        if number == 0:  # the listener declares a graph once per DAG version
            send(producer, encode(graph, source=SOURCE))
        sent[started.run.run_id] = time.time()
        send(producer, encode(started, source=SOURCE))
        producer.poll(0)
        hear(1 / per_second)
    deadline = time.monotonic() + 30
    while len(took) < runs and time.monotonic() < deadline:
        hear(0.2)
    consumer.close()
    producer.flush(5)
    if len(took) < runs:
        raise SystemExit(
            f"only {len(took)} of {runs} runs were answered; is team {team!r} onboarded and storage ready?"
        )
    return list(took.values())


def main() -> None:
    """Measure and print; the first tenth is a warm-up and does not count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=None, help="home of the stack (default: .outrider)")
    parser.add_argument("--team", default="ops", help="an onboarded team")
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--rate", type=float, default=20.0, help="runs per second")
    options = parser.parse_args()
    took = measure(Stack.open(options.home), options.team, options.runs, options.rate)[options.runs // 10 :]
    quantiles = statistics.quantiles(took, n=100)
    print(f"event -> environment ready, {len(took)} runs at {options.rate:g}/s, one announced task each")
    print(f"  p50 {statistics.median(took) * 1000:6.1f} ms   (aim < 25)")
    print(f"  p99 {quantiles[98] * 1000:6.1f} ms   (aim < 100)")


if __name__ == "__main__":
    main()
