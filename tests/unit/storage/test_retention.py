"""When a version may go, and whether Airflow lets it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outrider_contracts.keys import RunKey
from storage.domain.removal import AirflowRun, plan_removal
from storage.domain.retention import Kept, plan_clearing, shorter
from storage.domain.runs import RunStart, begun_at, newest

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(hours=1)
GRACE = timedelta(minutes=10)
RUN = RunKey(team="ads", dag_id="daily", run_id="r1")
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("kept", "due"),
    [
        (Kept("3d", "7d", current=True, succeeded=True), END + 3 * DAY + GRACE),
        (Kept("run", "7d", current=True, succeeded=True), END + GRACE),
        (Kept("forever", "7d", current=True, succeeded=True), None),
        (Kept("3d", "7d", current=False, succeeded=True), END + 3 * DAY + GRACE),
        (Kept("3d", "1d", current=False, succeeded=True), END + DAY + GRACE),
        (Kept("forever", "1d", current=False, succeeded=True), END + DAY + GRACE),
        (Kept("3d", "7d", current=False, succeeded=False), END + 7 * DAY + GRACE),
        (Kept("run", "forever", current=False, succeeded=False), None),
        (Kept("forever", "forever", current=False, succeeded=False, used=False), END + GRACE),
        (Kept("999999w", "7d", current=True, succeeded=True), None),
    ],
)
def test_retention_counts_from_the_end_of_the_run(kept: Kept, due: datetime | None) -> None:
    assert plan_clearing(kept, END, GRACE).due_at == due


@pytest.mark.parametrize("used", [True, False])
def test_an_end_told_at_the_last_of_all_moments_brings_no_date(used: bool) -> None:
    """Whoever writes as Airflow may say so; the facts that come with it are kept all the same."""
    last = datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1)
    known = replace(KNOWN, finished_at=last)

    assert plan_clearing(Kept("3d", "7d", current=True, succeeded=True, used=used), last, GRACE).due_at is None
    assert verdict(AirflowRun("success", True, START, 0, END), known)


@given(
    st.sampled_from(["run", "1s", "3d", "2w", "forever"]),
    st.sampled_from(["run", "12h", "forever"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_nothing_is_due_while_the_run_is_open(
    retention: str, failed: str, current: bool, succeeded: bool, used: bool
) -> None:
    kept = Kept(retention, failed, current=current, succeeded=succeeded, used=used)

    assert plan_clearing(kept, None, GRACE).due_at is None
    due = plan_clearing(kept, END, GRACE).due_at
    assert due is None or due >= END + GRACE


def test_the_shorter_retention_is_found_with_forever_and_run_among_them() -> None:
    assert shorter("forever", "7d") == "7d"
    assert shorter("1h", "run") == "run"


KNOWN = RunStart(RUN, START, started=True, confirmed=True, finished_at=END)


def verdict(airflow: AirflowRun | None, known: RunStart = KNOWN) -> bool:
    return plan_removal(known, airflow, now=END + DAY, grace=GRACE).allowed


def test_airflow_lets_go_only_the_very_run_that_was_heard_of_ended_and_quiet() -> None:
    assert verdict(AirflowRun("success", True, START, 0))
    assert verdict(AirflowRun("failed", True, START, 0))
    assert not verdict(AirflowRun("success", True, START, 1))
    assert not verdict(AirflowRun("running", False, START, 0))
    assert not verdict(AirflowRun("queued", False, None, 0))
    assert not verdict(AirflowRun("success", True, END, 0))


def test_absence_is_believed_when_said_twice_and_the_deletion_was_heard() -> None:
    asked_before = END + DAY - timedelta(hours=1)
    deleted = RunStart(RUN, START, confirmed=True, deleted_at=END)

    assert not verdict(None)
    assert not verdict(None, deleted)
    assert not verdict(None, RunStart(RUN, START, confirmed=True, absent_since=asked_before))
    assert not verdict(None, RunStart(RUN, START, confirmed=True, deleted_at=END, absent_since=END + DAY))
    assert verdict(None, RunStart(RUN, START, confirmed=True, deleted_at=END, absent_since=asked_before))
    assert verdict(None, RunStart(RUN, START, absent_since=asked_before))


def test_starts_that_reopen_a_run_belong_together_and_a_fresh_one_begins_anew() -> None:
    def start(hour: int, *, fresh: bool) -> RunStart:
        return RunStart(RUN, START + timedelta(hours=hour), started=True, fresh=fresh)

    starts = [start(0, fresh=True), start(1, fresh=False), start(5, fresh=True), start(6, fresh=False)]

    assert begun_at(starts, START + timedelta(hours=1)) == START
    assert begun_at(starts, START + timedelta(hours=6)) == START + timedelta(hours=5)
    assert begun_at(starts, START + timedelta(hours=9)) is None
    assert newest(starts) == starts[-1]
