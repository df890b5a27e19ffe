"""What the listener's hooks cost a task: run in Airflow's environment by benchmarks/listener.py.

As LocalExecutor does, one warm process forks a child per task. A child calls the hooks a task calls, on a stand-in of
its task instance, twice: the first pair makes the producer, the second finds it. Prints a JSON list of milliseconds
per child: [first start, first end, next start, next end].
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace

from outrider_airflow import listener
from outrider_airflow.settings import settings

WORK_SECONDS = 0.1


class RuntimeTaskInstance(SimpleNamespace):
    """A stand-in; the listener knows task processes by this name."""


def task_instance(number: int) -> RuntimeTaskInstance:
    """What a task process holds of a task without declarations."""
    now = datetime.now(UTC)
    run = SimpleNamespace(start_date=now, logical_date=now, run_after=now, team_name="bench")
    dag = SimpleNamespace(fileloc="/dags/bench.py", tags=frozenset())
    task = SimpleNamespace(
        task_id="work", task_type="PythonOperator", queue="default", pool="default_pool", dag=dag, outlets=[]
    )
    return RuntimeTaskInstance(
        dag_id="bench", run_id=f"bench__{number}", task_id="work", map_index=-1, try_number=1, state="success",
        start_date=now, end_date=now, hostname="bench", dag_version_id="v1", context_carrier={}, task=task,
        bundle_instance=SimpleNamespace(name="bench", version=None),
        _ti_context_from_server=SimpleNamespace(dag_run=run, task_reschedule_count=0),
    )  # fmt: skip


def child(number: int) -> list[float]:
    """Milliseconds each hook held one task up."""
    took: list[float] = []
    for pair in (0, 1):
        instance = task_instance(2 * number + pair)
        for hook in (listener.on_task_instance_running, listener.on_task_instance_success):
            began = time.perf_counter()
            hook(task_instance=instance)
            took.append((time.perf_counter() - began) * 1000)
            time.sleep(WORK_SECONDS)  # the task's own work, in which the producer connects
    return took


def in_child(number: int) -> list[float]:
    """Run one task in a fork of this process."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(write, json.dumps(child(number)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    return list(json.loads(told))


def main() -> None:
    """Warm up as the scheduler does, then run the children one by one."""
    settings()
    listener._warm()
    print(json.dumps([in_child(number) for number in range(int(sys.argv[1]))]))


if __name__ == "__main__":
    main()
