"""Times what listeners do to tasks and runs: a plugin that benchmarks/listener.py puts into an Airflow.

Its hooks wrap those of everybody else. Each line in the file that BENCH_TIMES names is a JSON list: the hook,
milliseconds waited, milliseconds of CPU with forked children.
"""

import json
import os
import resource
import time
from collections.abc import Generator

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin


def cpu() -> float:
    """Milliseconds of CPU that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000 * sum(each.ru_utime + each.ru_stime for each in used)


def timed(hook: str) -> Generator[None, object, object]:
    """Let the others do it, and write down what it took."""
    wall, used = time.perf_counter(), cpu()
    try:
        return (yield)
    finally:
        told = [hook, 1000 * (time.perf_counter() - wall), cpu() - used]
        with open(os.environ["BENCH_TIMES"], "a") as file:
            file.write(json.dumps(told) + "\n")


class Watch:
    """The hooks of a task's two ends and of a run's."""

    @hookimpl(wrapper=True, tryfirst=True)
    def on_task_instance_running(self) -> Generator[None, object, object]:
        return (yield from timed("a task's start, first event of its process"))

    @hookimpl(wrapper=True, tryfirst=True)
    def on_task_instance_success(self) -> Generator[None, object, object]:
        return (yield from timed("a task's end, until all is sent"))

    @hookimpl(wrapper=True, tryfirst=True)
    def on_dag_run_running(self) -> Generator[None, object, object]:
        return (yield from timed("a run's start, in the scheduler"))

    @hookimpl(wrapper=True, tryfirst=True)
    def on_dag_run_success(self) -> Generator[None, object, object]:
        return (yield from timed("a run's end, in the scheduler"))


class WatchPlugin(AirflowPlugin):
    """What Airflow loads."""

    name = "bench_watch"
    listeners = [Watch()]  # noqa: RUF012  as the base class has it
