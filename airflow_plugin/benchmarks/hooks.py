"""What listeners cost a task: run in Airflow's environment by benchmarks/listener.py, once per variant.

As LocalExecutor does, one warm process forks a child per task run. A child runs a DAG of two trivial tasks with
`dag.test()`, with whatever listeners the environment holds; pluggy tells when each call of a listener hook begins and
ends. Prints a JSON list per child of [milliseconds waited, milliseconds of CPU with forked children] per hook: first
start, first end, next start, next end.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

HOOKS = ("on_task_instance_running", "on_task_instance_success")
DAG = """
from airflow.sdk import DAG, task

with DAG("bench", schedule=None) as dag:
    @task
    def first():
        import time
        time.sleep(0.1)  # the task's own work, in which a producer may connect
    @task
    def second():
        import time
        time.sleep(0.1)
    first() >> second()
"""


def cpu() -> float:
    """Milliseconds of CPU that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000 * sum(each.ru_utime + each.ru_stime for each in used)


class Watch:
    """Times every call of a task hook, all listeners together."""

    def __init__(self) -> None:
        self.took: list[list[float]] = []
        self._began = (0.0, 0.0)

    def before(self, name: str, _implementations: Any, _arguments: Any) -> None:
        if name in HOOKS:
            self._began = (time.perf_counter(), cpu())

    def after(self, _outcome: Any, name: str, _implementations: Any, _arguments: Any) -> None:
        if name in HOOKS:
            waited = (time.perf_counter() - self._began[0]) * 1000
            self.took.append([waited, cpu() - self._began[1]])


def child(dag: Any) -> list[list[float]]:
    """Two tasks of one run."""
    from airflow.sdk.listener import get_listener_manager
    from airflow.settings import configure_orm

    configure_orm()  # the parent's connections are not for its children
    watch = Watch()
    get_listener_manager().pm.add_hookcall_monitoring(watch.before, watch.after)
    dag.test()
    return watch.took


def in_child(dag: Any) -> list[list[float]]:
    """Run them in a fork of this process."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.dup2(2, 1)  # what Airflow prints is no answer of ours
        took = child(dag)
        os.write(write, json.dumps(took).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return list(json.loads(told))


def load() -> Any:
    """The DAG, from a file in the DAG folder, which `dag.test()` asks for."""
    from airflow.configuration import conf

    file = Path(conf.get("core", "dags_folder")) / "bench.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(DAG)
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(file), bundle_name="dags-folder").dags["bench"]


def main() -> None:
    """Warm up as the scheduler does, then run the children one by one."""
    dag = load()
    from airflow.sdk.listener import get_listener_manager

    plugins = get_listener_manager().pm.get_plugins()
    if any(getattr(plugin, "__name__", "") == "outrider_airflow.listener" for plugin in plugins):
        from outrider_airflow import listener

        listener._warm()
    from airflow.settings import dispose_orm

    dispose_orm()
    names = sorted(getattr(plugin, "__name__", type(plugin).__name__) for plugin in plugins)
    print(json.dumps({"listeners": names, "took": [in_child(dag) for _ in range(int(sys.argv[1]))]}))


if __name__ == "__main__":
    main()
