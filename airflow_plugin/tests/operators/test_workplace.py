"""Nothing of a job stays on the worker: it may hold the team's data and connections."""

import os
import signal
import sys
import time
from pathlib import Path

from listener.users import as_user, for_many_users, let_in
from outrider_airflow.workplace import workplace


def test_it_is_the_jobs_own_and_gone_afterwards(tmp_path: Path) -> None:
    """Also where the job took away rights of its own directories."""
    with workplace(tmp_path) as home:
        mode = home.stat().st_mode & 0o777
        (home / "a/b").mkdir(parents=True)
        (home / "a/b/c").write_text("x")
        (home / "a/b").chmod(0o000)

    assert mode == 0o700
    assert list(tmp_path.iterdir()) == []


@for_many_users
def test_it_is_gone_also_where_the_job_took_away_its_own_rights_there(tmp_path: Path) -> None:
    """`chmod -R a-w .` where it starts."""
    let_in(tmp_path)

    def work() -> None:
        with workplace(tmp_path) as home:
            (home / "secret").touch()
            home.chmod(0o500)

    assert as_user(65534, work)
    assert list(tmp_path.iterdir()) == []


def test_links_in_it_lead_nowhere(tmp_path: Path) -> None:
    """What a link points to is neither removed nor changed."""
    (tmp_path / "kept").mkdir(mode=0o500)

    with workplace(tmp_path) as home:
        (home / "link").symlink_to(tmp_path / "kept")

    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o500


def test_what_a_killed_task_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And the directory of one that lives is left alone, however old."""
    program = (
        "import time; from pathlib import Path; from outrider_airflow.workplace import workplace\n"
        f"with workplace(Path({str(tmp_path)!r})) as home: (home / 'secret').touch(); time.sleep(60)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    task = os.posix_spawn(sys.executable, [sys.executable, "-c", program], environ)
    ends = time.monotonic() + 60
    while not list(tmp_path.glob("*/secret")):
        assert time.monotonic() < ends
        time.sleep(0.01)
    (left,) = tmp_path.iterdir()
    os.utime(left, (0, 0))
    with workplace(tmp_path):
        is_left_alone = left.exists()

    os.kill(task, signal.SIGKILL)
    os.waitpid(task, 0)
    with workplace(tmp_path):
        is_removed = not left.exists()

    assert is_left_alone
    assert is_removed
