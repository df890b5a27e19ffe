"""What the broker did not take waits on disk, in order, and is taken by one process at a time."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from listener.users import as_user, for_many_users, let_in
from outrider_airflow.spool import Spool, Spooled
from outrider_contracts.envelope import Record

RECORD = Record("topic", "ads/daily/run", b'{"a":1}', (("ce_id", b"x"),))


def kept(spool: Spool, limit: int = 100) -> list[Record]:
    seen: list[Record] = []
    spool.drain(lambda spooled: seen.extend(each.record for each in spooled), limit=limit)
    return seen


def test_records_come_back_whole_and_in_the_order_of_writing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for number in range(20):
        spool.add(Record("topic", f"key{number}", RECORD.value, RECORD.headers))

    assert [record.key for record in kept(spool)] == [f"key{number}" for number in range(20)]
    assert kept(spool, limit=1)[0] == Record("topic", "key0", RECORD.value, RECORD.headers)


def test_a_record_that_was_not_written_to_its_end_is_not_seen(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / ".00000000000000000001-1-000001.json").write_text('{"topic"')

    assert not spool.holds_any()
    assert kept(spool) == []


def test_two_processes_do_not_drain_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(RECORD)
    answers: list[int] = []

    def while_draining(_spooled: Sequence[Spooled]) -> None:
        child = os.fork()
        if child == 0:
            found = kept(Spool(tmp_path))
            os._exit(len(found))
        answers.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    spool.drain(while_draining, limit=10)

    assert answers == [0]
    assert kept(spool) == [RECORD]


def test_a_task_forked_while_the_spool_is_drained_does_not_keep_it_locked(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(RECORD)
    read, write = os.pipe()
    children: list[int] = []

    def while_draining(_spooled: Sequence[Spooled]) -> None:
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # lives on until the test ends
            os._exit(0)
        children.append(child)

    spool.drain(while_draining, limit=10)
    found = kept(spool)
    os.close(write)
    os.close(read)
    os.waitpid(children[0], 0)

    assert found == [RECORD]


def test_the_mark_of_an_absent_broker_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    assert not spool.away()

    spool.mark_away()
    assert spool.away()

    long_ago = (tmp_path / "spool" / "broker-away").stat().st_mtime - 31
    os.utime(tmp_path / "spool" / "broker-away", (long_ago, long_ago))
    assert not spool.away()


def test_a_file_that_is_no_record_holds_up_no_other(tmp_path: Path) -> None:
    """It is put aside for people to look at."""
    spool = Spool(tmp_path)
    (tmp_path / "00000000000000000001-1-000001.json").write_text("")
    spool.add(RECORD)

    assert kept(spool) == [RECORD]
    assert (tmp_path / "00000000000000000001-1-000001.bad").exists()


def test_it_knows_the_keys_it_holds(tmp_path: Path) -> None:
    """What is said later of the same key is not to overtake it."""
    spool = Spool(tmp_path / "spool")
    spool.add(RECORD)

    assert spool.holds_any(RECORD)
    assert not spool.holds_any(Record("topic", "ads/daily/other", b"", ()))


@for_many_users
def test_a_task_of_another_user_may_use_it(tmp_path: Path) -> None:
    """`run_as_user`: the directory was made by whoever came first."""
    let_in(tmp_path)
    spool = Spool(tmp_path / "spool")
    spool.add(RECORD)

    def use() -> None:
        spool.mark_away()
        spool.add(RECORD)
        assert spool.away()

    assert as_user(65534, use)
    assert kept(spool) == [RECORD, RECORD]


@for_many_users
def test_what_a_task_of_another_user_made_there_is_in_nobody_s_way(tmp_path: Path) -> None:
    """Also where that one was the first to miss the broker, and the first to empty the spool."""
    let_in(tmp_path)
    spool, seen = Spool(tmp_path / "spool"), tmp_path / "seen"

    def deliver(spooled: Sequence[Spooled]) -> None:
        seen.write_text(str(len(spooled)))

    def drain() -> None:
        spool.drain(deliver, limit=10)

    assert as_user(1000, lambda: spool.add(RECORD))
    assert as_user(65534, spool.mark_away)
    assert as_user(65534, drain)
    seen.unlink()

    assert as_user(1000, spool.mark_away)
    assert as_user(1000, drain)
    assert seen.read_text() == "1"


@for_many_users
def test_what_a_task_of_another_user_spooled_is_read_whatever_that_one_s_umask(tmp_path: Path) -> None:
    """Hardened hosts have 027: put aside as no record, it would be lost."""
    let_in(tmp_path)
    spool, seen = Spool(tmp_path / "spool"), tmp_path / "seen"

    def add() -> None:
        os.umask(0o027)
        spool.add(RECORD)

    def deliver(spooled: Sequence[Spooled]) -> None:
        seen.write_text(str(len(spooled)))

    assert as_user(1000, lambda: spool.add(RECORD))
    assert as_user(65534, add)
    assert as_user(1000, lambda: spool.drain(deliver, limit=10))

    assert seen.read_text() == "2"
