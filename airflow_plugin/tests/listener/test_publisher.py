"""Facts reach the broker, or the spool, and never hold a task up beyond the bound."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from listener.users import as_user, for_many_users, let_in
from outrider_airflow import keeper
from outrider_airflow import publisher as module
from outrider_airflow.publisher import FLUSH_SECONDS, Publisher
from outrider_airflow.settings import Settings
from outrider_airflow.spool import Spool
from outrider_contracts.airflow import RunFinished
from outrider_contracts.envelope import Record
from outrider_contracts.keys import RunKey

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def fact(number: int) -> RunFinished:
    run = RunKey(team="ads", dag_id="daily", run_id=f"r{number}")
    return RunFinished(run=run, run_started_at=NOW, state="success", finished_at=NOW)


@pytest.fixture
def nobody_listens() -> Iterator[str]:
    """An address that refuses connections, taken so that nobody else listens there meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def alone(nobody_listens: str, tmp_path: Path) -> Publisher:
    """A publisher whose broker is away."""
    return Publisher(Settings(bootstrap_servers=nobody_listens, spool_directory=str(tmp_path / "spool")))


@pytest.fixture
def three(nobody_listens: str, tmp_path: Path) -> list[Publisher]:
    """Publishers without a broker, each with a spool of its own."""
    spools = [tmp_path / name / "spool" for name in ("one", "two", "three")]
    return [Publisher(Settings(bootstrap_servers=nobody_listens, spool_directory=str(spool))) for spool in spools]


def quickest(*acts: Callable[[], object]) -> float:
    """How long the quickest took: the machine may hold up one, whoever waits holds up all."""
    took = []
    for act in acts:
        began = time.monotonic()
        act()
        took.append(time.monotonic() - began)
    return min(took)


def spooled(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "spool").glob("[0-9]*.json"))


def test_saying_does_not_wait_for_a_broker_that_is_away(three: list[Publisher]) -> None:
    facts = [fact(number) for number in range(10)]

    assert quickest(*(partial(each.say, facts) for each in three)) < 0.5


def test_a_tasks_end_waits_no_longer_than_the_bound_and_leaves_everything_in_the_spool(
    three: list[Publisher], tmp_path: Path
) -> None:
    for each in three:
        each.say([fact(1), fact(2)])

    assert quickest(*(each.settle for each in three)) < FLUSH_SECONDS + 1
    assert [len(spooled(tmp_path / name)) for name in ("one", "two", "three")] == [2, 2, 2]


def test_what_is_given_up_is_in_the_spool_though_the_process_stood_still_meanwhile(
    alone: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client calls back while it is waited for, and by then no time was left for that."""
    alone.say([fact(1)])
    producer = alone._connected()

    class StandsStill:
        waits = 3

        def flush(self, seconds: float) -> int:
            self.waits -= 1
            return 1 if self.waits > 0 else producer.flush(seconds)

        def purge(self) -> None:
            producer.purge()

    monkeypatch.setattr(alone, "_producer", StandsStill())
    alone.settle(0.1)

    assert len(spooled(tmp_path)) == 1


def test_after_one_vain_wait_the_next_task_of_the_host_does_not_wait(
    alone: Publisher, nobody_listens: str, tmp_path: Path
) -> None:
    alone.say([fact(1)])
    alone.settle()

    def next_task() -> None:
        task = Publisher(Settings(bootstrap_servers=nobody_listens, spool_directory=str(tmp_path / "spool")))
        task.say([fact(2)])
        task.settle()
        task.drain()

    assert quickest(next_task, next_task, next_task) < 0.5
    assert len(spooled(tmp_path)) == 4


def test_a_spool_that_can_not_be_emptied_keeps_its_records(alone: Publisher, tmp_path: Path) -> None:
    alone.say([fact(1)])
    alone.settle(0.1)
    (tmp_path / "spool" / "broker-away").unlink()

    alone.drain(seconds=0.1)

    assert len(spooled(tmp_path)) == 1


def test_what_a_task_that_may_not_read_the_password_says_is_in_the_spool(tmp_path: Path) -> None:
    """`run_as_user`: the file is for Airflow's own user, who will send it."""
    secret = tmp_path / "for-others"
    site = Settings("127.0.0.1:1", "airflow", kafka_password_file=str(secret), spool_directory=str(tmp_path / "spool"))
    task = Publisher(site)

    task.say([fact(1)])
    task.settle(0.1)

    assert len(spooled(tmp_path)) == 1


@for_many_users
def test_what_another_user_spooled_is_left_to_that_one_and_holds_up_nothing(tmp_path: Path) -> None:
    """`run_as_user`: an error in the client's callback would end the sending of all that lies behind."""
    let_in(tmp_path)
    spool = Spool(tmp_path / "spool")
    spool.add(Record("topic", "ads/daily/run", b"{}", ()))

    assert as_user(65534, lambda: module._remove_delivered(spooled(tmp_path)[0], None, None))
    assert len(spooled(tmp_path)) == 1


def test_what_is_said_later_of_the_same_run_does_not_overtake_what_waits(alone: Publisher, tmp_path: Path) -> None:
    """Though the broker may be back: on a host without a scheduler nobody has emptied the spool yet."""
    alone.say([fact(1)])
    alone.settle(0.1)
    (tmp_path / "spool" / "broker-away").unlink()

    alone.say([fact(1)])

    assert len(spooled(tmp_path)) == 2


def test_a_process_that_ends_leaves_what_its_keeper_had_to_say_in_the_spool(
    nobody_listens: str, tmp_path: Path
) -> None:
    """Nobody waits for a broker in a scheduler's hooks; all the same nothing is lost when it stops in order."""
    script = """
import sys
from outrider_airflow import keeper, publisher
from outrider_airflow.settings import Settings
from listener.test_publisher import fact
site = Settings(bootstrap_servers=sys.argv[1], spool_directory=sys.argv[2])
publisher.settings = lambda: site
for number in range(5):
    keeper.say(lambda number=number: [fact(number)], like=None)
"""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", script, nobody_listens, str(tmp_path / "spool")]

    subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=True, timeout=60)

    assert len(spooled(tmp_path)) == 5


def test_what_can_not_be_said_at_the_end_keeps_nothing_else_from_being_said(
    alone: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "publisher", lambda: alone)
    monkeypatch.setattr(keeper, "keep", lambda: None)  # its thread has not come to it yet
    for number in (0, 1, 0, 2):
        keeper.say(lambda number=number: [fact(1 // number)], like=None)  # type: ignore[misc]

    keeper._finish(os.getpid())

    assert len(spooled(tmp_path)) == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # Airflow forks so, and this is about it
def test_a_fork_gets_a_publisher_of_its_own_and_ends_in_time(
    nobody_listens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent's producer has no threads in a child: whoever used or destroyed it would hang."""
    site = Settings(bootstrap_servers=nobody_listens, spool_directory=str(tmp_path / "spool"))
    monkeypatch.setattr(module, "settings", lambda: site)
    mine = module.publisher()
    mine.say([fact(1)])

    child = os.fork()
    if child == 0:
        same = module.publisher() is mine
        module.publisher().say([fact(2)])
        module.publisher().settle(0.1)
        os._exit(1 if same else 0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(spooled(tmp_path)) == 1
    mine.settle(0.1)
