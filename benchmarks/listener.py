"""What listeners cost a task: none, ours, the OpenLineage provider on Kafka, the Kafka provider's event producer.

One Airflow with a scheduler and LocalExecutor, one DAG of two trivial tasks, one broker with SASL/SCRAM, acks=all for
everybody, all of the bench's own. The scheduler is started anew for each listener, in rounds that take turns; a plugin
times the hooks in the processes where they happen (airflow_plugin/benchmarks/hooks.py). The two providers are installed
beside Airflow's environment, for this bench alone, and set up as their documentation says.
"""

import argparse
import configparser
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from outrider_cli.demo.airflow import ENDED, AirflowUser
from outrider_contracts.airflow import AirflowEvent
from outrider_local import airflow_config, airflow_database, airflow_install, kafka, prerequisites
from outrider_local.components import all_components
from outrider_local.processes import Command
from outrider_local.python_environments import uv
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

PROVIDERS = ("apache-airflow-providers-openlineage==2.20.3", "apache-airflow-providers-apache-kafka==2.1.0")
NONE, OURS, OPENLINEAGE, KAFKA = "none", "Outrider", "OpenLineage, Kafka", "Kafka provider"
HOOKS = (
    "a task's start, first event of its process",
    "a task's end, until all is sent",
    "a run's start, in the scheduler",
    "a run's end, in the scheduler",
)
TASK = "a task, both hooks"
ALL = "scheduler and tasks, all they do, per task"
DAG_ID = "bench"
DAG = """
import time
from airflow.sdk import DAG, task

with DAG("bench", schedule=None):
    @task
    def first():
        time.sleep(0.1)  # the task's own work, in which a producer may connect
    @task
    def second():
        time.sleep(0.1)
    first() >> second()
"""
_TICKS = 100


@dataclass(frozen=True)
class Variant:
    """A way to listen: sections of airflow.cfg, and what is on the path beside Airflow."""

    name: str
    sections: dict[str, dict[str, str]]
    path: str


class Bench:
    """A Kafka, a PostgreSQL and an Airflow whose scheduler comes and goes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._home = airflow_config.home(stack)
        self._times = self._home / "times"

    def prepare(self) -> None:
        """Have the database, the DAG in it, and an API server that nobody listens in."""
        airflow_install.install(self._stack.layout)
        for folder in ("dags", "plugins", "spool"):
            (self._home / folder).mkdir(parents=True)
        airflow_config.write(self._stack)
        nobody = Variant(NONE, {}, "")
        airflow_database.prepare(self._stack, self._environment(nobody))
        shutil.copy2(airflow_install.PROJECT / "benchmarks" / "hooks.py", self._home / "plugins")
        (self._home / "dags" / f"{DAG_ID}.py").write_text(DAG)
        airflow = airflow_install.program(self._stack.layout, "airflow")
        subprocess.run([airflow, "dags", "reserialize"], env=self._environment(nobody), check=True, capture_output=True)
        self._start("bench-api", "api-server", nobody)
        answered = wait_until(lambda: self._sign_in() is not None, seconds=120, every=0.5)
        if not answered:
            raise SystemExit(self._stack.processes.log_tail("bench-api", 30))

    def measure(self, variant: Variant, runs: int) -> dict[str, list[tuple[float, float]]]:
        """(milliseconds waited, of CPU) per hook, each time it was called, and CPU of all there is per task."""
        self._times.unlink(missing_ok=True)
        with self._scheduler(variant), self._person() as person:
            self._ride(person, 2)  # a warm-up
            self._times.unlink()
            before = self._cpu()
            self._ride(person, runs)
            spent = (self._cpu() - before) / runs / 2
            # a run's own end is told when everything else is over
            wait_until(lambda: self._read().keys() >= set(HOOKS), seconds=20)
            return {**self._read(), ALL: [(0.0, spent)]}

    def _read(self) -> dict[str, list[tuple[float, float]]]:
        took = defaultdict(list)
        for line in self._times.read_text().splitlines() if self._times.exists() else ():
            hook, waited, cpu = json.loads(line)
            took[hook].append((waited, cpu))
        return dict(took)

    def _ride(self, person: AirflowUser, runs: int) -> None:
        for _ in range(runs):
            run_id = person.trigger(DAG_ID)
            deadline = time.monotonic() + 120
            while (state := person.run_state(DAG_ID, run_id)) not in ENDED:
                if time.monotonic() > deadline:
                    raise SystemExit(f"a run did not end:\n{self._stack.processes.log_tail('bench-scheduler', 30)}")
                time.sleep(0.1)
            if state != "success":
                raise SystemExit(f"run {run_id} ended as {state}; logs are in {self._home / 'logs'}")

    def _cpu(self) -> float:
        """Milliseconds of CPU of the scheduler, its workers and what they have waited for."""
        used = 0
        for pid in self._stack.processes.members("bench-scheduler"):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            used += sum(map(int, fields[11:15]))
        return used * 1000 / _TICKS

    @contextmanager
    def _scheduler(self, variant: Variant) -> Iterator[None]:
        self._start("bench-scheduler", "scheduler", variant, "--skip-serve-logs")
        try:
            yield
        finally:
            self._stack.processes.stop("bench-scheduler")

    def _start(self, process: str, part: str, variant: Variant, *options: str) -> None:
        airflow = str(airflow_install.program(self._stack.layout, "airflow"))
        command = Command((airflow, part, *options), cwd=self._home, env=self._environment(variant), stop_seconds=20)
        self._stack.processes.start(process, command)

    def _environment(self, variant: Variant) -> dict[str, str]:
        """Write the variant's airflow.cfg and name it."""
        config = configparser.RawConfigParser()
        config.read(self._home / "airflow.cfg")
        config.remove_section("outrider")
        config.remove_option("dag_processor", "dag_bundle_config_list")
        config["core"]["multi_team"] = "False"
        for section, entries in variant.sections.items():
            for key, value in entries.items():
                if not config.has_section(section):
                    config.add_section(section)
                config.set(section, key, value)
        file = self._home / f"{variant.name.split(',')[0].replace(' ', '-').lower()}.cfg"
        file.touch(mode=0o600)
        with file.open("w") as opened:
            config.write(opened)
        programs = airflow_install.program(self._stack.layout, "airflow").parent
        return {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW_CONFIG": str(file),
            "BENCH_TIMES": str(self._times),
            "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": variant.path,
            "SPT_NOENV": "1",  # processes are known by their environment
        }

    @contextmanager
    def _person(self) -> Iterator[AirflowUser]:
        person = self._sign_in()
        assert person
        yield person
        person.close()

    def _sign_in(self) -> AirflowUser | None:
        word = self._stack.secrets.password("airflow-admin")
        try:
            return AirflowUser.sign_in(airflow_config.url(self._stack), "admin", word)
        except httpx.HTTPError:  # it is starting
            return None


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
        "spool_directory": str(airflow_config.spool_directory(stack)),
    }
    backend = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
    arguments = json.dumps({"connections_file_path": str(connections)})
    events = {"dag_run_events_enabled": "True", "task_instance_events_enabled": "True", "topic": AirflowEvent.topic}
    return [
        Variant(NONE, {}, ""),
        Variant(OURS, {"outrider": ours}, airflow_install.site(stack.layout.data("bench") / "site")),
        Variant(OPENLINEAGE, {"openlineage": {"transport": json.dumps(transport)}}, peers),
        Variant(
            KAFKA,
            {
                "openlineage": {"disabled": "True"},
                "kafka_event_producer": events,
                "secrets": {"backend": backend, "backend_kwargs": arguments},
                "workers": {"secrets_backend": backend, "secrets_backend_kwargs": arguments},
            },
            peers,
        ),
    ]


def medians(took: Mapping[str, list[tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Milliseconds waited and of CPU, per hook; for a task with both its hooks, too."""
    told = {hook: (_median(times, 0), _median(times, 1)) for hook, times in took.items()}
    (start, started), (end, ended) = told[HOOKS[0]], told[HOOKS[1]]
    return {**told, TASK: (start + end, started + ended)}


def _median(times: Sequence[tuple[float, float]], which: int) -> float:
    return statistics.median(each[which] for each in times)


def show(told: Mapping[str, Mapping[str, tuple[float, float]]], runs: int) -> None:
    """A row per hook, a column per listener, and what the aims come to."""
    print(f"\n{runs} runs of two tasks each, broker with SCRAM, acks=all; medians in milliseconds, waited / CPU")
    print(f"{'':44}" + "".join(f"{name:>22}" for name in told))
    for row in (*HOOKS, TASK, ALL):
        cells = [
            f"{waited:.2f} / {cpu:.2f}" if row != ALL else f"{cpu:.0f}"
            for waited, cpu in (one[row] for one in told.values())
        ]
        print(f"{row:44}" + "".join(f"{cell:>22}" for cell in cells))
    ours, theirs = told[OURS], told[OPENLINEAGE]
    for aim, value, bound in (
        ("a task, waited, ÷ OpenLineage", ours[TASK][0] / theirs[TASK][0], 1 / 3),
        ("a task, CPU, ÷ OpenLineage", ours[TASK][1] / theirs[TASK][1], 1 / 3),
        ("first event of a process, ms", ours[HOOKS[0]][0], 30),
        ("next events (a run's start), ms", ours[HOOKS[2]][0], 1),
    ):
        print(f"{aim:44}{value:22.2f} {'reached' if value <= bound else 'MISSED'}: aim ≤ {bound:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="runs of a listener in a round (10)")
    parser.add_argument("--rounds", type=int, default=3, help="how often all listeners take turns (3)")
    parser.add_argument("--json", action="store_true", help="print every time that was taken as JSON")
    options = parser.parse_args()
    took: dict[str, dict[str, list[tuple[float, float]]]] = {}
    # not private to its user: the database server runs as another one
    home = Path(tempfile.mkdtemp(prefix="outrider-bench-"))
    home.chmod(0o755)
    stack = Stack.open(home)
    wanted = with_needs(["topics", "postgres"], all_components())
    try:
        prerequisites.ensure(prerequisites.of_kafka(stack.layout), print)
        if failed := bring_up(stack, wanted).failed:
            raise SystemExit("\n".join(failed.values()))
        bench = Bench(stack)
        bench.prepare()
        for number in range(options.rounds):
            for variant in variants(stack):
                print(f"round {number + 1} of {options.rounds}: {variant.name}", file=sys.stderr)
                for hook, times in bench.measure(variant, options.runs).items():
                    took.setdefault(variant.name, {}).setdefault(hook, []).extend(times)
    finally:
        for process in ("bench-scheduler", "bench-api"):
            stack.processes.stop(process)
        remove(stack, all_components())
    if options.json:
        print(json.dumps(took))
        return
    show({name: medians(hooks) for name, hooks in took.items()}, options.runs * options.rounds)


if __name__ == "__main__":
    main()
