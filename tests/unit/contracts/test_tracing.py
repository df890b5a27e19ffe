"""The trace of a run: the same whoever speaks of it, another one for another run, and no part of any fact's id."""

from outrider_contracts.airflow import RunStarted, TaskStarted
from outrider_contracts.envelope import encode, open_envelope
from outrider_contracts.environments import VersionCleared, VersionKey
from outrider_contracts.keys import RunKey, TaskKey
from outrider_contracts.tenants import AuditRecorded
from outrider_contracts.tracing import run_traceparent

AT = "2026-11-01T00:00:00Z"
RUN = RunKey(team="ads", dag_id="daily", run_id="r1")
TASK = TaskKey(**RUN.model_dump(), task_id="load")


def test_all_facts_of_a_run_are_in_one_trace_whoever_tells_them() -> None:
    facts = (
        RunStarted(run=RUN, run_started_at=AT, run_after=AT),
        TaskStarted(task=TASK.attempt(2), run_started_at=AT, started_at=AT, team_rule="bundle"),
        VersionCleared(
            version=VersionKey(**TASK.model_dump(), output="o", generation=1), path="p", reason="retention",
            cleared_at=AT, objects=0, bytes=0,
        ),
    )  # fmt: skip

    told = {open_envelope(encode(fact, source=who).headers).traceparent for fact in facts for who in ("/a", "/b")}

    assert told == {run_traceparent("ads/daily/r1")}


def test_it_is_a_w3c_traceparent_that_asks_to_be_kept_and_another_for_another_run() -> None:
    version, trace, span, flags = run_traceparent("ads/daily/r1").split("-")

    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert run_traceparent("ads/daily/r2") != run_traceparent("ads/daily/r1")


def test_a_trace_that_was_begun_already_goes_on_and_an_id_does_not_depend_on_it() -> None:
    fact, given = RunStarted(run=RUN, run_started_at=AT, run_after=AT), "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

    own, begun = (open_envelope(encode(fact, source="/a", traceparent=t).headers) for t in ("", given))

    assert begun.traceparent == given
    assert own.id == begun.id == fact.id


def test_a_fact_of_no_run_has_no_trace_of_its_own() -> None:
    audited = AuditRecorded(team="ads", actor="a", action="b", resource="c", at=AT)

    assert open_envelope(encode(audited, source="/a").headers).traceparent == ""
