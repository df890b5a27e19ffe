"""What listeners cost a task: none, ours, the OpenLineage provider on Kafka, the Kafka provider's event producer.

One broker with SASL/SCRAM of its own, one Airflow environment, the same DAG, acks=all for everybody; the hooks run in
Airflow's environment, each run in a fork of a warm process as LocalExecutor has it
(airflow_plugin/benchmarks/hooks.py).
The two providers are installed beside that environment, for this bench alone.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from outrider_contracts.airflow import AirflowEvent
from outrider_local import airflow_install, kafka
from outrider_local.components import all_components
from outrider_local.python_environments import uv
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

HOOKS = airflow_install.PROJECT / "benchmarks" / "hooks.py"
PROVIDERS = ("apache-airflow-providers-openlineage==2.20.3", "apache-airflow-providers-apache-kafka==2.1.0")
ROWS = ("first event (start hook)", "end hook after it", "next event (start hook)", "next end hook")


@dataclass(frozen=True)
class Variant:
    """A way to listen: sections of airflow.cfg, and what is on the path beside Airflow."""

    name: str
    sections: dict[str, dict[str, str]]
    path: str


def providers(stack: Stack) -> Path:
    """The peers' packages and what they need beyond Airflow's environment, in a directory of their own."""
    target = stack.layout.cache / "bench-peers-2"
    if not (target / "done").exists():
        python = airflow_install.program(stack.layout, "python")
        frozen = subprocess.run(
            [uv(), "pip", "freeze", "-p", python], capture_output=True, text=True, check=True
        ).stdout
        constraints = stack.layout.data("bench") / "constraints.txt"
        constraints.parent.mkdir(parents=True, exist_ok=True)
        constraints.write_text(frozen)
        subprocess.run(
            [uv(), "pip", "install", "-q", "-p", python, "--target", target, "-c", constraints, *PROVIDERS], check=True
        )
        # of what Airflow's environment has itself nothing may be shadowed
        held = {line.split("==")[0].lower().replace("-", "_") for line in frozen.splitlines()}
        for metadata in target.glob("*.dist-info"):
            if metadata.name.split("-")[0].lower() in held:
                _remove_distribution(target, metadata)
        (target / "done").touch()
    return target


def _remove_distribution(target: Path, metadata: Path) -> None:
    for line in (metadata / "RECORD").read_text().splitlines():
        (target / line.split(",")[0]).unlink(missing_ok=True)
    shutil.rmtree(metadata)  # an empty one breaks whoever lists distributions


def variants(stack: Stack) -> list[Variant]:
    """All four, on the same broker as the same principal, writing the same topic."""
    user, word = "airflow", stack.secrets.password("kafka-airflow")
    client = {
        "bootstrap.servers": kafka.bootstrap(stack),
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": word,
        "acks": "all",
    }
    peers = str(providers(stack))
    connections = stack.secrets.write(
        "bench-connections.json", json.dumps({"kafka_default": {"conn_type": "kafka", "extra": client}})
    )
    transport = {"type": "kafka", "topic": AirflowEvent.topic, "config": client, "flush": True}
    ours = {
        "bootstrap_servers": kafka.bootstrap(stack),
        "kafka_username": user,
        "kafka_password_file": str(stack.secrets.path("kafka-airflow")),
        "spool_directory": str(stack.layout.data("bench") / "spool"),
    }
    backend = {
        "backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "backend_kwargs": json.dumps({"connections_file_path": str(connections)}),
    }
    events = {"dag_run_events_enabled": "True", "task_instance_events_enabled": "True", "topic": AirflowEvent.topic}
    off = {"openlineage": {"disabled": "True"}}
    return [
        Variant("no listener", {}, ""),
        Variant("Outrider", {"outrider": ours}, airflow_install.site(stack.layout.data("bench") / "site")),
        Variant("OpenLineage, Kafka", {"openlineage": {"transport": json.dumps(transport)}}, peers),
        Variant("Kafka provider", {**off, "kafka_event_producer": events, "secrets": backend}, peers),
    ]


def measure(stack: Stack, variant: Variant, runs: int) -> list[list[list[float]]]:
    """[milliseconds waited, of CPU] per hook, a list per run; the first run is a warm-up and does not count."""
    home = stack.layout.data("bench") / variant.name.split(",")[0].replace(" ", "-").lower()
    home.mkdir(parents=True, exist_ok=True)
    sections = {"core": {"load_examples": "False", "dags_folder": str(home / "dags")}, **variant.sections}
    text = "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for name, entries in sections.items()
    )
    configuration = home / "airflow.cfg"
    configuration.touch(mode=0o600)
    configuration.write_text(text.replace("%", "%%"))
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "PYTHONPATH": variant.path}
    airflow, python = (airflow_install.program(stack.layout, name) for name in ("airflow", "python"))
    subprocess.run([airflow, "db", "migrate"], env=environment, capture_output=True, check=True)
    done = subprocess.run([python, HOOKS, str(runs + 1)], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{variant.name}: {done.stderr[-3000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"{variant.name}: {', '.join(told['listeners']) or 'nobody listens'}")
    return list(told["took"][1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as home:
        stack = Stack.open(Path(home))
        wanted = with_needs(["topics"], all_components())
        try:
            if failed := bring_up(stack, wanted).failed:
                raise SystemExit("\n".join(failed.values()))
            airflow_install.install(stack.layout)
            took = {each.name: measure(stack, each, options.runs) for each in variants(stack)}
        finally:
            remove(stack, all_components())
    print(f"\n{options.runs} runs of two tasks, broker with SCRAM, acks=all; medians in milliseconds, waited / CPU")
    print(f"{'':28}" + "".join(f"{name:>24}" for name in took))
    for at, row in enumerate(ROWS):
        cells = [
            f"{statistics.median(run[at][0] for run in runs):.2f} / {statistics.median(run[at][1] for run in runs):.2f}"
            for runs in took.values()
        ]
        print(f"{row:28}" + "".join(f"{cell:>24}" for cell in cells))
    totals = [
        f"{statistics.median(sum(hook[0] for hook in run) / 2 for run in runs):.2f} / "
        f"{statistics.median(sum(hook[1] for hook in run) / 2 for run in runs):.2f}"
        for runs in took.values()
    ]
    print(f"{'a task, both hooks':28}" + "".join(f"{cell:>24}" for cell in totals))


if __name__ == "__main__":
    main()
