"""A run explained out of the services' answers: the timeline, the first cause, what mends it, what becomes of data."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from outrider_contracts.declarations import InputDeclaration
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.explain import Explanation, Subject, explain, words
from outrider_contracts.holdings import (
    CarriedView,
    CredentialsView,
    Environments,
    EnvironmentView,
    Frozen,
    HoldView,
    InputSize,
    ToldView,
    VersionView,
)
from outrider_contracts.keys import RunKey, TaskKey
from outrider_contracts.runs import ReaderAnswer, RunAnswer, StartAnswer, TryAnswer

RUN = RunKey(team="ads", dag_id="daily", run_id="r1")
START = datetime(2026, 11, 1, 9, tzinfo=UTC)
NOW = START + timedelta(minutes=10)
CLEAR = (
    "clear task extract of run r1 in Airflow: POST /api/v2/dags/daily/clearTaskInstances "
    '{"dry_run": false, "dag_run_id": "r1", "task_ids": ["extract"], "include_downstream": true, "only_failed": false}'
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def task(task_id: str, map_index: int = -1) -> TaskKey:
    return TaskKey(**RUN.model_dump(), task_id=task_id, map_index=map_index)


def tried(
    task_id: str, state: str, began: float | None, ended: float | None, number: int = 1, **more: Any
) -> TryAnswer:
    return TryAnswer(
        **RUN.model_dump(), task_id=task_id, map_index=more.pop("map_index", -1), try_number=number,
        run_started_at=at(more.pop("of_start", 0)), openlineage_run_id=uuid4(), state=state,
        started_at=None if began is None else at(began),
        ended_at=None if ended is None else at(ended), operator="Local", inputs=[], outputs=[], **more,
    )  # fmt: skip


def ran(state: str, *tries: TryAnswer, readers: tuple[ReaderAnswer, ...] = ()) -> RunAnswer:
    ended = None if state == "running" else at(300)
    start = StartAnswer(
        **RUN.model_dump(), openlineage_run_id=uuid4(), started_at=at(0), ended_at=ended, state=state, clear_number=0,
        run_type="manual", logical_date=START, deleted_at=None,
    )  # fmt: skip
    return RunAnswer(**RUN.model_dump(), state=state, starts=[start], tries=list(tries), readers=list(readers))


def version(task_id: str, output: str = "rows", **more: Any) -> VersionView:
    given = {"state": "sealed", "retention": "3d", "files": 2, "bytes": 2048, **more}
    return VersionView(output=output, path=f"ads/daily/{task_id}/d/{output}/g1/", **given)


def place(task_id: str, *versions: VersionView, number: int | None = 1, **more: Any) -> EnvironmentView:
    given = {"state": "sealed", "announced_at": at(0.1), "ready_at": at(0.2), "logical_date": START, **more}
    return EnvironmentView(
        task=task(task_id, given.pop("map_index", -1)), try_number=number, run_started_at=at(0), generation=1,
        place=f"ads/daily/{task_id}/d", versions=versions, **given,
    )  # fmt: skip


def told(task_id: str, kind: Any, what: str, first: float, last: float, **more: Any) -> ToldView:
    return ToldView(
        task=task(task_id).attempt(1), run_started_at=at(0), kind=kind, what=what, first_at=at(first),
        last_at=at(last), **more,
    )  # fmt: skip


def told_of(
    run: RunAnswer | None, *places: EnvironmentView, told: tuple[ToldView, ...] = (), frozen: bool = False,
    of: str | None = None, now: datetime = NOW,
) -> Explanation:  # fmt: skip
    environments = Environments(
        environments=places, told=told, frozen=Frozen(frozen=frozen, reason="a backup", by="ann")
    )
    return explain(Subject(**RUN.model_dump(), task_id=of), environments, run, now)


READING = {"rows": InputDeclaration(task="extract", output="rows")}


def test_a_task_that_went_well_is_told_from_its_announcement_to_its_seal() -> None:
    read = InputVersion(
        version=VersionKey(**task("extract").model_dump(), output="rows", generation=1),
        path="ads/daily/extract/d/rows/g1/",
    )
    report = place(
        "report", version("report", "page"), asked_at=at(11), resolved_at=at(14), sealed_at=at(20), declared=READING,
        inputs={"rows": (read,)}, input_sizes={"rows": InputSize(files=2, bytes=2048)}, outcome="success",
        credentials=CredentialsView(given_at=at(15), expires_at=at(3615)),
        staged=CarriedView(at=at(16), seconds=0.4, cold_bytes=2048), stored=CarriedView(at=at(19), seconds=95),
    )  # fmt: skip
    waited = told("report", "waiting", "the seal of try 1 of ads/daily/extract", 11, 13.5)

    story = told_of(ran("success", tried("report", "success", 10, 21)), report, told=(waited,))

    assert [(moment.kind, moment.text) for moment in story.moments] == [
        ("run", "the run began"),
        ("announced", "announced: generation 1"),
        ("ready", "place ready: /ads/daily/report/d"),
        ("began", "try 1 began (Local)"),
        ("asked", "asked for its environment"),
        ("waited", "waited 3.0 s for the seal of try 1 of ads/daily/extract"),
        ("inputs", "inputs resolved: rows from ads/daily/extract/rows (g1, 2 files, 2.0 KiB)"),
        ("credentials", "given credentials, good until 2026-11-01T10:00:15Z"),
        ("staged", "inputs staged in 0.4 s, 2.0 KiB cold"),
        ("stored", "outputs stored in 1.6 min"),
        ("sealed", "sealed: page 2 files, 2.0 KiB"),
        ("ended", "try 1 ended: success after 11.0 s"),
        ("run", "the run ended: success"),
    ]
    assert (story.state, story.over, story.cause) == ("success", True, None)
    assert [(one.source, one.text) for one in story.inputs] == [
        ("ads/daily/extract/rows", "2 files, 2.0 KiB, from the store itself")
    ]


def test_the_first_cause_is_the_task_that_failed_not_those_that_could_not_run_because_of_it() -> None:
    run = ran(
        "failed",
        tried("report", "failed", 30, 31, error_class="EnvironmentRefused"),
        tried("extract", "failed", 10, 20, error_class="outrider_airflow.errors.JobFailed"),
        tried("mail", "upstream_failed", None, 32),
    )
    refusal = told("report", "refused", "input-missing", 30, 30, message="input 'rows' is not sealed", fix="clear it")
    places = (
        place("extract", version("extract", state="open"), state="sealed", outcome="failed", sealed_at=at(19)),
        place("report", state="ready", declared=READING),
    )

    causes = {of: told_of(run, *places, told=(refusal,), of=of).cause for of in (None, "report", "mail")}

    for cause in causes.values():
        assert cause is not None
        assert (cause.kind, cause.task) == ("failed", "extract")
        assert cause.text == "try 1 of extract failed with JobFailed; its log in Airflow has the job's own words"
        assert cause.fix == (CLEAR,)


def test_a_refusal_is_told_in_storages_own_words_with_its_fix() -> None:
    run = ran("failed", tried("report", "failed", 30, 31, error_class="EnvironmentRefused"))
    refusal = told(
        "report", "refused", "input-cleared", 30, 30, message="what try 1 wrote was taken out of reach",
        fix="outrider storage restore ads/daily/extract/d/rows/g1/",
    )  # fmt: skip

    cause = told_of(run, place("report", state="ready", declared=READING), told=(refusal,)).cause

    assert cause is not None
    assert cause.text == "what try 1 wrote was taken out of reach"
    assert cause.fix[0] == "outrider storage restore ads/daily/extract/d/rows/g1/"
    assert cause.fix[1].startswith("clear task report of run r1 in Airflow")


def test_a_run_that_goes_on_tells_what_it_waits_for() -> None:
    run = ran("running", tried("report", "running", 30, None))
    waiting = told("report", "waiting", "team ads, which is not known here yet", 31, 40)

    story = told_of(run, place("report", state="ready"), told=(waiting,), now=at(45))

    assert not story.over
    assert story.cause is not None
    assert story.cause.kind == "waiting"
    assert story.cause.text == "try 1 of report waits for team ads, which is not known here yet, for 14.0 s"


def test_a_try_that_airflow_ended_is_not_said_to_have_an_error_or_words_of_its_own() -> None:
    """Nobody raised anything: the listener was given a text by the scheduler, or by the API of whoever marked it."""
    story = told_of(ran("failed", tried("extract", "failed", 10, 20, error_class="message")), place("extract"))

    assert story.cause is not None
    assert story.cause.text.startswith("try 1 of extract was ended by Airflow: somebody marked it, or its process")
    assert "try 1 ended: failed after 10.0 s" in [moment.text for moment in story.moments]


def test_of_a_mapped_task_the_part_alone_is_cleared() -> None:
    command = words.clear_command(task("part", 2))

    assert command.startswith("clear task part[2] of run r1 in Airflow: POST /api/v2/dags/daily/clearTaskInstances ")
    assert '"task_ids": [["part", 2]]' in command


def test_a_task_that_is_put_off_tells_what_for_and_how_that_stands() -> None:
    waiting = told("report", "waiting", "input 'rows'", 31, 40, message="no try of extract has opened it")

    story = told_of(ran("running", tried("report", "running", 30, None)), place("report"), told=(waiting,), now=at(45))

    assert story.cause is not None
    assert story.cause.text == "try 1 of report waits for input 'rows', for 14.0 s: no try of extract has opened it"


def test_a_try_that_airflow_repeats_is_on_its_way_and_a_success_forgets_it() -> None:
    failed = tried("check", "up_for_retry", 10, 11, error_class="outrider_airflow.errors.JobFailed")
    again = told_of(ran("running", failed)).cause
    done = told_of(ran("success", failed, tried("check", "success", 15, 16, 2)), of="check")

    assert again is not None
    assert (again.kind, again.text) == ("retrying", "try 1 of check failed with JobFailed; Airflow starts another")
    assert done.cause is None
    assert [moment.text for moment in done.moments if moment.wrong] == [
        "try 1 ended: up_for_retry with JobFailed after 1.0 s"
    ]


@pytest.mark.parametrize(
    ("more", "fate", "fix"),
    [
        ({"due_at": NOW + timedelta(hours=5), "reason": "kept for 3d"}, "clears in 5.0 h, because kept for 3d",
         "outrider storage hold ads/daily/extract/d/rows/g1/ --for 7d"),
        ({"due_at": NOW, "reason": "kept for 3d", "waiting_for": "Airflow says that the run is running"},
         "is due to be cleared, because kept for 3d; but Airflow says that the run is running",
         "outrider storage hold ads/daily/extract/d/rows/g1/ --for 7d"),
        ({"state": "doomed", "not_before": NOW + timedelta(hours=24), "reason": "kept for 3d"},
         "out of reach (kept for 3d); deleted in 24.0 h, until then it can be restored",
         "outrider storage restore ads/daily/extract/d/rows/g1/"),
        ({"state": "cleared", "cleared_at": NOW, "reason": "kept for 3d"},
         "gone since 2026-11-01T09:10:00Z: kept for 3d",
         CLEAR),
        ({"retention": "forever"}, "kept forever", ""),
        ({"reason": "the run has not ended"}, "kept for 3d after its run's end (the run has not ended)", ""),
    ],
)  # fmt: skip
def test_a_version_tells_what_becomes_of_it_and_what_changes_that(more: dict[str, Any], fate: str, fix: str) -> None:
    (told,) = told_of(ran("success"), place("extract", version("extract", **more))).outputs

    assert (told.fate, told.fix) == (fate, fix)


def test_a_held_version_names_its_holder_and_a_frozen_storage_who_froze_it() -> None:
    hold = HoldView(holder="a task of team news", since=at(60), expires_at=NOW + timedelta(days=7))
    due = version("extract", due_at=NOW, reason="kept for the run", holds=(hold,))

    (told,) = told_of(ran("success"), place("extract", due), frozen=True).outputs

    assert told.held_by == ("a task of team news",)
    assert "held by a task of team news until 2026-11-08T09:10:00Z" in told.fate
    assert "storage is frozen by ann: a backup" in told.fate


@pytest.mark.parametrize(
    ("holder", "told"),
    [
        ("task ads/daily/r1/report @2026-11-01T09:00:00+00:00", "task report of this run"),
        ("task ads/daily/r1/part/3 @2026-11-01T09:00:00+00:00", "task part[3] of this run"),
        ("task news/front/r9/read @2026-11-01T09:00:00+00:00", "task news/front/r9/read"),
        ("a task of team news", "a task of team news"),
        ("cli", "cli"),
    ],
)
def test_a_holder_is_told_in_as_few_words_as_say_who_it_is(holder: str, told: str) -> None:
    assert words.holder(holder, RUN) == told


def test_readers_are_those_that_were_given_it_and_those_that_will_be() -> None:
    common = {"task_id": "extract", "output": "rows", "team": "ads", "declared": True, "ran": True}
    readers = (
        ReaderAnswer(**common, job="ads/daily/report", tries=(task("report").attempt(1),), tries_in_all=1),
        ReaderAnswer(**common, job="ads/weekly/sum"),
        ReaderAnswer(**{**common, "team": "news"}, job=None, tries_in_all=2),
    )

    (told,) = told_of(ran("success", readers=readers), place("extract", version("extract", current=True))).outputs

    assert told.readers == (
        "given to ads/daily/report (1 try)", "given to a task of team news (2 tries)", "next: ads/weekly/sum",
    )  # fmt: skip


def test_the_story_does_not_depend_on_the_order_of_the_answers() -> None:
    tries = [
        tried("extract", "failed", 10, 20),
        tried("extract", "success", 25, 30, 2),
        tried("report", "failed", 40, 50),
    ]
    places = [place("extract", version("extract"), outcome="failed"), place("report", number=None, state="ready")]
    expected = told_of(ran("failed", *tries), *places)

    for seed in range(20):
        random.Random(seed).shuffle(tries)
        random.Random(seed).shuffle(places)
        assert told_of(ran("failed", *tries), *places).moments == expected.moments
        assert told_of(ran("failed", *tries), *places).cause == expected.cause


def test_a_mapped_task_is_as_far_as_its_parts_and_one_part_can_be_asked_for() -> None:
    run = ran("running", *(tried("part", state, 10, ended, map_index=i) for i, (state, ended) in
                           enumerate((("success", 12), ("running", None), ("failed", 13)))))  # fmt: skip
    one = explain(Subject(**RUN.model_dump(), task_id="part", map_index=0), Environments(), run, NOW)

    assert told_of(run, of="part").state == "running"
    assert (one.state, one.cause) == ("success", None)
    assert {moment.task for moment in one.moments} == {"", "part[0]"}


def again(began: float, clear_number: int, state: str = "running", ended: float | None = None) -> StartAnswer:
    """Another start of the run: it was cleared, or (clear number 0) deleted and created anew."""
    return StartAnswer(
        **RUN.model_dump(), openlineage_run_id=uuid4(), started_at=at(began), ended_at=ended and at(ended), state=state,
        clear_number=clear_number, run_type="manual", logical_date=START, deleted_at=None,
    )  # fmt: skip


@pytest.mark.parametrize("clear_number", [1, 0])
def test_what_failed_before_the_run_began_again_is_no_cause_while_it_goes_on(clear_number: int) -> None:
    """A person clears what failed and asks at once: the new try has not begun."""
    before = ran("failed", tried("extract", "failed", 10, 20), tried("report", "upstream_failed", None, 21, 0))
    refusal = told("extract", "refused", "input-missing", 11, 11, message="input 'raw' is not sealed")
    run = before.model_copy(update={"state": "running", "starts": [*before.starts, again(400, clear_number)]})

    for of in (None, "extract", "report"):
        story = told_of(run, of=of, told=(refusal,))

        assert story.cause is None
        assert not story.over


def test_what_failed_and_was_not_cleared_is_the_cause_once_the_run_has_ended_again() -> None:
    before = ran("failed", tried("extract", "failed", 10, 20), tried("report", "failed", 10, 30))
    tries = [*before.tries, tried("report", "success", 410, 420, 2, of_start=400)]
    starts = [*before.starts, again(400, 1, "failed", 430)]

    cause = told_of(before.model_copy(update={"starts": starts, "tries": tries})).cause

    assert cause is not None
    assert cause.task == "extract"


def test_what_a_try_of_the_deleted_run_was_told_is_nothing_of_the_new_ones() -> None:
    """Tries of a run that is created anew count from 1 again."""
    before = ran("failed", tried("extract", "failed", 10, 20, error_class="EnvironmentRefused"))
    refusal = told("extract", "refused", "input-missing", 11, 11, message="input 'raw' is not sealed")
    tried_again = tried("extract", "failed", 410, 420, of_start=400, error_class="EnvironmentUnavailable")
    tries = [*before.tries, tried_again]
    starts = [*before.starts, again(400, 0, "failed", 430)]

    cause = told_of(before.model_copy(update={"starts": starts, "tries": tries}), told=(refusal,)).cause

    assert cause is not None
    assert cause.text.startswith("try 1 of extract failed with EnvironmentUnavailable")


def test_what_the_deleted_run_left_unsealed_is_nothing_of_the_new_ones() -> None:
    before = ran("failed", tried("extract", "failed", 10, 20))
    tries = [*before.tries, tried("extract", "success", 410, 420, of_start=400)]
    run = before.model_copy(update={"starts": [*before.starts, again(400, 0, "success", 430)], "tries": tries})

    story = told_of(run, place("extract", state="ready"), of="extract", now=at(600))

    assert (story.state, story.cause) == ("success", None)


def test_a_workers_clock_that_is_ahead_does_not_hide_the_cause() -> None:
    """When a task could not run is said by the scheduler's clock, when the one before it failed by its worker's."""
    run = ran("failed", tried("extract", "failed", 10, 20.5), tried("report", "upstream_failed", None, 20, 0))

    for of in (None, "report"):
        cause = told_of(run, of=of).cause

        assert cause is not None
        assert cause.task == "extract"


def test_a_fix_that_has_clear_in_a_name_is_followed_by_the_clear_it_needs() -> None:
    run = ran("failed", tried("extract", "failed", 30, 31, error_class="EnvironmentRefused"))
    restore = "outrider storage restore ads/nuclear/load/d/rows/g1/"
    refusal = told("extract", "refused", "input-cleared", 30, 30, message="gone", fix=restore)

    cause = told_of(run, told=(refusal,)).cause

    assert cause is not None
    assert cause.fix == (restore, CLEAR)


def test_an_output_that_could_not_be_stored_has_its_reason_in_the_log_alone() -> None:
    """Too late, a link, a full disk: which files were missing storage itself tells."""
    run = ran("failed", tried("extract", "failed", 10, 20, error_class="outrider_airflow.errors.OutputNotStored"))

    cause = told_of(run).cause

    assert cause is not None
    assert cause.fix == (CLEAR,)


def test_what_airflow_decided_without_a_try_is_one_moment() -> None:
    story = told_of(ran("failed", tried("tell", "upstream_failed", 20, 20, 0)), of="tell")

    assert [moment.text for moment in story.moments if moment.task] == ["upstream_failed, without a try"]


def test_nobody_will_be_given_what_a_failed_try_left() -> None:
    common = {"task_id": "extract", "output": "rows", "team": "ads", "declared": True, "ran": False}
    reader = ReaderAnswer(**common, job="ads/daily/report")

    had = ReaderAnswer(**{**common, "ran": True}, job="ads/daily/mail", tries_in_all=2)  # another try's
    run = ran("failed", readers=(reader, had))

    (told,) = told_of(run, place("extract", version("extract"), outcome="failed")).outputs

    assert told.readers == ()


def test_what_lineage_never_heard_of_is_told_from_the_places_alone() -> None:
    story = told_of(None, place("extract", version("extract", state="open"), number=None, state="ready"))

    assert story.state == "unknown"
    assert [moment.kind for moment in story.moments] == ["announced", "ready"]


def test_a_run_that_airflow_ended_is_told_although_no_task_failed() -> None:
    """It overran its DAG's `dagrun_timeout`: Airflow skips what is left."""
    story = told_of(ran("failed", tried("extract", "skipped", 10, 300)))

    assert story.cause is not None
    assert (story.cause.kind, story.cause.at) == ("failed", at(300))
    assert "dagrun_timeout" in story.cause.text
    assert "POST /api/v2/dags/daily/dagRuns/r1/clear" in story.cause.fix[0]
    assert told_of(ran("failed", tried("extract", "skipped", 10, 300)), of="extract").cause is None


def test_what_kept_a_task_from_running_is_what_it_reads_where_that_is_known() -> None:
    run = ran(
        "failed",
        tried("elsewhere", "failed", 5, 6),
        tried("extract", "failed", 10, 20),
        tried("report", "upstream_failed", None, 21),
        tried("mail", "upstream_failed", None, 22),
    )
    mailing = {"page": InputDeclaration(task="report", output="page")}
    places = (
        place("report", number=None, declared=READING, state="ready"),
        place("mail", number=None, declared=mailing, state="ready"),
    )

    assert {of: told_of(run, *places, of=of).cause.task for of in ("report", "mail")} == {  # type: ignore[union-attr]
        "report": "extract", "mail": "extract",
    }  # fmt: skip


def test_a_cause_that_failed_again_after_a_clear_is_still_found() -> None:
    """Airflow keeps the time at which `mail` was kept from running first."""
    run = ran(
        "failed",
        tried("extract", "failed", 10, 20),
        tried("extract", "failed", 210, 220, number=2),
        tried("mail", "upstream_failed", None, 21),
    )

    cause = told_of(run, of="mail").cause

    assert cause is not None
    assert cause.text.startswith("try 2 of extract failed")


def test_where_several_failed_none_of_them_is_said_to_have_kept_a_task_from_running() -> None:
    """Which tasks are before it is told of what it reads alone."""
    run = ran(
        "failed",
        tried("mail", "upstream_failed", None, 22),
        tried("elsewhere", "failed", 5, 6),
        tried("extract", "failed", 10, 20),
    )

    cause, whole = told_of(run, of="mail").cause, told_of(run).cause

    assert cause is not None
    assert cause.text == "mail did not run because a task before it failed; failed have: elsewhere, extract"
    assert cause.fix == ("outrider explain ads/daily/r1",)
    assert whole is not None
    assert whole.task == "elsewhere"


def test_a_part_of_a_mapped_group_was_kept_from_running_by_its_own_part() -> None:
    run = ran(
        "failed",
        *(tried("each.one", "failed", 10, 20 + index, map_index=index) for index in range(3)),
        tried("each.two", "upstream_failed", None, 30, map_index=2),
    )

    cause = told_of(run, of="each.two").cause

    assert cause is not None
    assert cause.task == "each.one[2]"


def test_a_task_is_cleared_with_what_reads_it_also_where_they_went_well() -> None:
    """Airflow clears failed tasks alone unless told otherwise."""
    _, _, body = CLEAR.partition("POST /api/v2/dags/daily/clearTaskInstances ")

    assert json.loads(body) == {
        "dry_run": False, "only_failed": False, "dag_run_id": "r1", "task_ids": ["extract"], "include_downstream": True,
    }  # fmt: skip
