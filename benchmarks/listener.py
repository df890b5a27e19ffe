"""What the listener costs a task, on a broker with SASL/SCRAM and acks=all: the wait its hooks add, in milliseconds.

Starts a broker of its own, so that nobody hears the facts; the hooks run in Airflow's environment, each task in a fork
of a warm process as LocalExecutor has it (airflow_plugin/benchmarks/hooks.py).
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from outrider_local import airflow_install, kafka
from outrider_local.components import all_components
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

HOOKS = airflow_install.PROJECT / "benchmarks" / "hooks.py"
ROWS = (
    ("first event (start hook)", "aim < 30"),
    ("end hook after it, waits for the broker", ""),
    ("next event (start hook)", "aim < 1"),
    ("next end hook, waits for the broker", ""),
)


def measure(stack: Stack, tasks: int) -> list[list[float]]:
    """Milliseconds per hook, a list per task."""
    airflow_install.install(stack.layout)
    home = stack.layout.data("airflow")
    home.mkdir(parents=True, exist_ok=True)
    told = {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": airflow_install.site(home / "site"),
        "AIRFLOW__OUTRIDER__BOOTSTRAP_SERVERS": kafka.bootstrap(stack),
        "AIRFLOW__OUTRIDER__KAFKA_USERNAME": "airflow",
        "AIRFLOW__OUTRIDER__KAFKA_PASSWORD_FILE": str(stack.secrets.path("kafka-airflow")),
        "AIRFLOW__OUTRIDER__SPOOL_DIRECTORY": str(home / "spool"),
    }
    argv = (airflow_install.program(stack.layout, "python"), HOOKS, str(tasks))
    done = subprocess.run(argv, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    if list((home / "spool").glob("*.json")):
        raise SystemExit("the broker did not take everything, so these numbers say nothing")
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print; the first task is a warm-up and does not count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as home:
        stack = Stack.open(Path(home))
        wanted = with_needs(["topics"], all_components())
        try:
            if failed := bring_up(stack, wanted).failed:
                raise SystemExit("\n".join(failed.values()))
            took = measure(stack, options.tasks + 1)[1:]
        finally:
            remove(stack, all_components())
    print(f"the listener's cost per task, {len(took)} tasks, broker with SCRAM and acks=all (milliseconds)")
    for (name, aim), values in zip(ROWS, zip(*took, strict=True), strict=True):
        print(f"  {name:42} median {statistics.median(values):6.2f}   slowest {max(values):6.2f}   {aim}".rstrip())


if __name__ == "__main__":
    main()
