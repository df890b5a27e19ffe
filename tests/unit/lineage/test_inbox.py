"""What teams write into their inboxes is read with care: anybody may write anything there."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage.adapters.inbox import InboxDecoder
from lineage.domain.names import Names
from lineage.domain.reports import Reported
from outrider_bus.records import RawRecord
from outrider_contracts.envelope import UndecodableError

DECODE = InboxDecoder(Names("airflow://test"))
EVENT: dict[str, Any] = {
    "eventType": "START", "eventTime": "2026-11-02T09:00:00Z", "producer": "https://example.org",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
    "run": {"runId": "0198c1a5-7d7c-7c6e-8d0f-000000000001", "facets": {"parent": {"run": {"runId": "no uuid"}}}},
    "job": {"namespace": "spark", "name": "hourly"},
}  # fmt: skip


def _record(value: object, topic: str = "outrider.team.ads.inbox.v1") -> RawRecord:
    encoded = value if isinstance(value, bytes) else json.dumps(value).encode()
    return RawRecord(topic, 0, 0, datetime(2026, 11, 2, tzinfo=UTC), None, encoded)


def _stage(value: object) -> str:
    with pytest.raises(UndecodableError) as refused:
        DECODE(_record(value))
    return refused.value.stage


def test_a_stock_event_is_the_word_of_the_topic_s_team() -> None:
    """Whatever the event says of its writer."""
    decoded = DECODE(_record(EVENT))

    assert decoded is not None
    _, event = decoded
    assert isinstance(event, Reported)
    assert (event.report.team, event.report.job.name, event.report.parent_run_id) == ("ads", "hourly", None)


def test_the_same_event_spelt_differently_has_one_id() -> None:
    """A client that retries, or a proxy that reorders keys, says it once."""
    again = dict(reversed(EVENT.items()))
    one, other = DECODE(_record(EVENT)), DECODE(_record(again))

    assert one is not None
    assert other is not None
    assert one[0].id == other[0].id


@pytest.mark.parametrize("spoken", ["job", "outputs"])
def test_another_team_s_job_or_output_is_an_impostor_s_word(spoken: str) -> None:
    """It is refused as a whole."""
    foreign = {"namespace": "airflow://test/news", "name": "front.report"}

    assert _stage({**EVENT, spoken: foreign if spoken == "job" else [foreign]}) == "impostor"


@pytest.mark.parametrize(
    ("value", "stage"),
    [(b"{", "value"), ([], "value"), ({"job": 1}, "validate"), ({**EVENT, "eventTime": "yesterday"}, "validate"),
     ({**EVENT, "job": {"namespace": "a\0b", "name": "x"}}, "validate")],
)  # fmt: skip
def test_what_cannot_be_read_says_where(value: object, stage: str) -> None:
    """A dead letter that helps its reader. PostgreSQL cannot keep a NUL, so it is no name."""
    assert _stage(value) == stage


def test_a_dataset_event_is_skipped() -> None:
    """It announces nothing that is merged yet."""
    assert DECODE(_record({"eventTime": "2026-11-02T09:00:00Z", "dataset": {"namespace": "a", "name": "b"}})) is None


@settings(deadline=None)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), lambda v: st.dictionaries(st.text(), v)).map(
    lambda value: json.dumps({**EVENT, "run": value}).encode()
))  # fmt: skip
def test_nothing_but_its_own_error_comes_out(value: bytes) -> None:
    """Whatever bytes lie there."""
    with suppress(UndecodableError):
        DECODE(_record(value))
