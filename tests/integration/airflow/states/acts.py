"""What people and accidents do to a run whose gated task is at work, or that has ended."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

from outrider_local.waiting import wait_until

from tests.integration.airflow.riding import SECONDS, Riding

Act = Callable[[Riding, str, str, Path, random.Random], None]


def let_go(directory: Path, dag_id: str) -> None:
    """Let the gated task end."""
    (directory / f"{dag_id}.go").touch()


def bar(directory: Path, dag_id: str) -> None:
    """Have the next gated task wait."""
    for word in ("began", "go"):
        (directory / f"{dag_id}.{word}").unlink(missing_ok=True)


def await_gate(directory: Path, dag_id: str) -> None:
    began = wait_until((directory / f"{dag_id}.began").exists, seconds=SECONDS, every=0.1)

    assert began, f"{dag_id} never came to its gated task"


def goes_by_itself(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    let_go(directory, dag_id)
    riding.await_end(dag_id, run)


def is_cleared_while_running(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """Once or twice; the task is killed and begins again."""
    for _ in range(dice.choice((1, 2))):
        bar(directory, dag_id)
        riding.user.clear(dag_id, run, "gated", downstream=dice.choice((True, False)))
        await_gate(directory, dag_id)
    goes_by_itself(riding, dag_id, run, directory, dice)


def task_is_marked(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """By hand, while it runs; what its process says of its end is nothing to Airflow."""
    riding.user.mark_task(dag_id, run, "gated", dice.choice(("success", "failed", "skipped")))
    if dice.random() < 0.5:
        let_go(directory, dag_id)
    riding.await_end(dag_id, run)


def run_is_marked(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    riding.user.mark_run(dag_id, run, dice.choice(("success", "failed")))
    if dice.random() < 0.5:
        let_go(directory, dag_id)
    riding.await_end(dag_id, run)


def is_cleared_after_its_end(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """As a whole, or one task with what comes after it."""
    goes_by_itself(riding, dag_id, run, directory, dice)
    if dice.random() < 0.5:
        riding.user.clear_run(dag_id, run)
    else:
        tasks = [task.task_id for task in riding.user.tasks(dag_id, run) if task.map_index < 0]
        riding.user.clear(dag_id, run, dice.choice(tasks), downstream=True)
    riding.await_end(dag_id, run)


def is_deleted(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    goes_by_itself(riding, dag_id, run, directory, dice)
    riding.user.delete_run(dag_id, run)


def is_created_again(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    is_deleted(riding, dag_id, run, directory, dice)
    riding.ride(dag_id, run)


def process_is_killed(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """The task's own process; its supervisor tells Airflow."""
    os.kill(_gated_process(riding, dag_id), signal.SIGKILL)
    riding.await_end(dag_id, run)


def worker_is_killed(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """With everything it supervises: Airflow misses the heartbeats after a minute."""
    process = _gated_process(riding, dag_id)
    parent = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    for pid in (parent, process):
        os.kill(pid, signal.SIGKILL)
    riding.await_end(dag_id, run)


def times_out(riding: Riding, dag_id: str, run: str, directory: Path, dice: random.Random) -> None:
    """Its DAG has a limit, which the gated task overruns: at work, or waiting for a worker."""
    riding.await_end(dag_id, run)


ACTS: tuple[Act, ...] = (
    goes_by_itself,
    is_cleared_while_running,
    task_is_marked,
    run_is_marked,
    is_cleared_after_its_end,
    is_deleted,
    is_created_again,
    process_is_killed,
    worker_is_killed,
)


def _gated_process(riding: Riding, dag_id: str) -> int:
    return int(riding.sql(f"SELECT pid FROM task_instance WHERE dag_id = '{dag_id}' AND task_id = 'gated'"))
