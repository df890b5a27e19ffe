"""A job as a process: what it sees, what is heard of it, and how it ends."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from outrider_airflow.job import Ended, JobProcess

PATH = {"PATH": os.environ["PATH"]}


def run(*command: str, cwd: Path = Path("/"), say: Callable[[str], None] = lambda _: None) -> Ended:
    return JobProcess().run(command, env=PATH, cwd=cwd, say=say)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_line_is_heard_in_order() -> None:
    """Both streams together, the last line without an end too, and what is not UTF-8 in some form."""
    lines: list[str] = []

    ended = run("sh", "-c", r"echo one; echo two >&2; printf 'three\r\n\377four'", say=lines.append)

    assert lines == ["one", "two", "three", "\N{REPLACEMENT CHARACTER}four"]
    assert ended == Ended(0, tuple(lines), killed=False)


def test_a_great_deal_of_output_is_no_trouble() -> None:
    """Nothing is lost, a line without end is cut into pieces, and only the last lines are kept."""
    heard: list[str] = []

    ended = run(sys.executable, "-c", "print('x' * 100_000); [print(n) for n in range(50_000)]", say=heard.append)

    assert "".join(heard[:-50_000]) == "x" * 100_000
    assert heard[-50_000:] == [str(n) for n in range(50_000)]
    assert ended.last_lines == tuple(str(n) for n in range(49_990, 50_000))


def test_the_exit_code_is_the_jobs_own() -> None:
    """Or minus the signal that ended it."""
    assert run("sh", "-c", "exit 75").exit_code == 75
    assert run("sh", "-c", "kill -9 $$").exit_code == -9


def test_a_command_that_is_not_there_is_an_error_at_once() -> None:
    """Not an exit code of some shell."""
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run("no-such-program")


def test_it_gets_the_given_variables_and_no_others() -> None:
    """What Airflow's process holds stays there; so do its open files and its terminal."""
    lines: list[str] = []

    run("sh", "-c", "env; ls /proc/self/fd | wc -l; cat", say=lines.append)

    assert {line.split("=")[0] for line in lines if "=" in line} <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert int(lines[-1]) == 4  # stdin, stdout, stderr, and the directory ls reads


def test_children_left_behind_are_ended_with_the_job() -> None:
    """Also where they hold its output open."""
    lines: list[str] = []
    began = time.monotonic()

    run("sh", "-c", "sleep 60 & echo $!", say=lines.append)

    assert time.monotonic() - began < 30
    wait_for(lambda: not is_running(int(lines[0])))


def test_children_left_behind_that_go_on_talking_are_ended_too() -> None:
    began = time.monotonic()

    ended = run("sh", "-c", "(for _ in $(seq 10000); do echo on; sleep 0.01; done) & exit 0")

    assert ended.exit_code == 0
    assert time.monotonic() - began < 30


def test_a_kill_ends_the_whole_group() -> None:
    """SIGTERM first: the job may tidy up."""
    lines: list[str] = []
    process = JobProcess()

    def say(line: str) -> None:
        lines.append(line)
        if line == "ready":
            process.kill()

    ended = process.run(
        ["sh", "-c", "trap 'echo tidied; exit 3' TERM; sleep 60 & echo $!; echo ready; wait"],
        env=PATH, cwd=Path("/"), say=say,
    )  # fmt: skip

    assert ended == Ended(3, tuple(lines), killed=True)
    assert lines[1:] == ["ready", "tidied"]
    wait_for(lambda: not is_running(int(lines[0])))


def test_a_job_that_will_not_end_is_killed_after_the_grace() -> None:
    """Airflow itself kills the task 5 s after its SIGTERM; the grace is shorter."""

    def killed() -> float:
        process = JobProcess(grace_seconds=0.3)
        began = time.monotonic()
        ended = process.run(
            ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
            env=PATH, cwd=Path("/"), say=lambda _: process.kill(),
        )  # fmt: skip
        assert ended.exit_code == -signal.SIGKILL
        assert ended.killed
        return time.monotonic() - began

    assert any(killed() < 3 for _ in range(3))  # the machine may hold up one


def test_a_job_that_goes_on_talking_is_killed_after_the_grace_too() -> None:
    """There is always something to read then, and nobody may forget the time over it."""
    process = JobProcess(grace_seconds=0.3)

    ended = process.run(
        ["sh", "-c", "trap '' TERM; echo ready; yes | head -n 5000000"],
        env=PATH, cwd=Path("/"), say=lambda line: process.kill() if line == "ready" else None,
    )  # fmt: skip

    assert ended.exit_code == -signal.SIGKILL


def test_a_kill_from_a_signal_handler_ends_it_too() -> None:
    """That is where Airflow calls `on_kill`: in the thread that waits for the job."""
    process = JobProcess()
    before = signal.signal(signal.SIGUSR1, lambda *_: process.kill())
    try:
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        ended = process.run(["sleep", "60"], env=PATH, cwd=Path("/"), say=lambda _: None)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert ended == Ended(-signal.SIGTERM, (), killed=True)


def test_whatever_interrupts_the_waiting_ends_the_job() -> None:
    """An execution timeout is an exception in the midst of it."""

    class TimedOut(BaseException):
        pass

    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        raise TimedOut

    with pytest.raises(TimedOut):
        run("sh", "-c", "echo $$; exec sleep 60", say=say)

    wait_for(lambda: not is_running(int(lines[0])))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")
def test_a_job_does_not_outlive_a_task_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the worker leaves nothing running unseen: neither the job's first process nor its children."""
    program = (
        "import os; from pathlib import Path; from outrider_airflow.job import JobProcess\n"
        "JobProcess().run(['sh', '-c', 'sleep 60 & echo $$ $! > new; mv new pids; wait'],"
        f" env=dict(os.environ), cwd=Path({str(tmp_path)!r}), say=print)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    task = os.posix_spawn(sys.executable, [sys.executable, "-c", program], environ)
    wait_for((tmp_path / "pids").exists)
    job, child = map(int, (tmp_path / "pids").read_text().split())
    os.kill(task, signal.SIGKILL)
    os.waitpid(task, 0)

    wait_for(lambda: not is_running(job) and not is_running(child))
