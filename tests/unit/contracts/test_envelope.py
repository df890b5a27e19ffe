"""Facts on the wire: what is said is read back, peers' libraries read it too, and nothing malformed gets through."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outrider_contracts.airflow import RunDeleted, RunStarted
from outrider_contracts.envelope import Record, UndecodableError, decode, encode, open_envelope
from outrider_contracts.events import Event, event_types
from outrider_contracts.keys import RunKey
from outrider_contracts.tenants import TeamStatus

from tests.unit.contracts.anything import INSTANTS, instances

KINDS = sorted(event_types().values(), key=lambda kind: kind.type)
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
SLOW = settings(max_examples=15, suppress_health_check=list(HealthCheck))
STARTED = RunStarted(
    run=RunKey(team="ads", dag_id="daily", run_id="r1"),
    run_started_at="2026-11-01T00:00:01Z",
    run_after="2026-11-01T00:00:00Z",
)


def changed(record: Record, **headers: bytes | None) -> list[tuple[str, bytes | None]]:
    """The record's headers with some replaced, or left out (None as text: the header has no value)."""
    return [*{**dict(record.headers), **headers}.items()]


@EACH_KIND
@SLOW
@given(data=st.data())
def test_whatever_is_said_is_read_back_equal(kind: type[Event], data: st.DataObject) -> None:
    """Same fact, same id, same bytes when it is said again."""
    event = data.draw(instances(kind))
    record = encode(event, source="/outrider/test", causationid="c1", traceparent="00-1-2-01")

    envelope = open_envelope(record.headers)
    read = decode(envelope, record.value)

    assert read == event
    assert read is not None
    assert encode(read, source="/outrider/test", causationid="c1", traceparent="00-1-2-01") == record
    assert (envelope.id, envelope.type, envelope.subject) == (event.id, event.type, record.key)
    assert (envelope.causationid, envelope.traceparent) == ("c1", "00-1-2-01")
    assert envelope.time == event.occurred_at()


@EACH_KIND
@SLOW
@given(data=st.data())
def test_an_id_tells_two_identities_apart_and_nothing_else(kind: type[Event], data: st.DataObject) -> None:
    """Two tellings of one fact have one id, whatever else they say."""
    one, other = data.draw(instances(kind)), data.draw(instances(kind))

    assert (one.id == other.id) == (one.identity() == other.identity())


@given(INSTANTS)
def test_one_moment_has_one_id_in_every_time_zone(moment: Any) -> None:
    """The listener's zone is not part of the fact."""
    one = RunDeleted(run=STARTED.run, run_started_at=moment, seen_at=moment)
    other = RunDeleted.model_validate_json(one.model_dump_json())

    assert one.id == other.id


def test_a_fact_of_another_type_has_another_id() -> None:
    """Equal natural keys do not make a start an end."""
    assert len({kind.type for kind in KINDS}) == len(KINDS)
    reopened = event_types()["outrider.airflow.run-reopened.v1"].model_validate(STARTED.model_dump())

    assert reopened.id != STARTED.id


@EACH_KIND
@SLOW
@given(data=st.data())
def test_the_cloudevents_library_reads_what_is_said(kind: type[Event], data: st.DataObject) -> None:
    """An oracle for binary mode: the official library parses the record and finds the same attributes."""
    event = data.draw(instances(kind))
    record = encode(event, source="/outrider/test", causationid="c1")
    message = KafkaMessage(headers=dict(record.headers), key=record.key.encode(), value=record.value)

    read = from_binary_event(message, JSONFormat())

    assert (read.get_id(), read.get_type(), read.get_source()) == (event.id, event.type, "/outrider/test")
    assert (read.get_specversion(), read.get_subject()) == ("1.0", event.key())
    assert read.get_datacontenttype() == "application/json"
    assert event.occurred_at() in (read.get_time(), None)  # the library makes a time up where none is said
    assert read.get_extension("causationid") == "c1"
    assert read.get_data() == json.loads(record.value)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"ce_id": None}, "missing ce_id"),
        ({"ce_id": b""}, "missing ce_id"),
        ({"ce_type": None, "ce_source": None}, "missing ce_type, ce_source"),
        ({"ce_specversion": b"0.3"}, "not '1.0'"),
        ({"ce_specversion": None}, "not '1.0'"),
        ({"ce_id": b"\xff"}, "ce_id is not UTF-8"),
        ({"ce_time": b"yesterday"}, "no timestamp"),
        ({"ce_time": b"2026-11-01T00:00:00"}, "no time zone"),
        ({"CE_ID": b"another"}, "twice"),
    ],
)
def test_headers_that_say_no_fact_are_undecodable(headers: dict[str, bytes | None], words: str) -> None:
    """They go to the dead letters at once, with the reason."""
    with pytest.raises(UndecodableError, match=words) as refusal:
        open_envelope(changed(encode(STARTED, source="/s"), **headers))

    assert refusal.value.stage == "headers"


def test_headers_of_others_do_not_matter() -> None:
    """Agents on the way add headers of any bytes; names are read in any case."""
    record = encode(STARTED, source="/s")
    loud = [(name.upper(), value) for name, value in record.headers]

    envelope = open_envelope([*loud, ("x-trace", b"\xff\xfe"), ("x-trace", b"\x00"), ("x-empty", None)])

    assert envelope.id == STARTED.id


@pytest.mark.parametrize(
    ("value", "stage"),
    [
        (None, "value"),
        (b"", "value"),
        (b"{", "value"),
        (b"\xff\xfe", "value"),
        (b"[" * 100_000, "value"),
        (b"null", "validate"),
        (b"[]", "validate"),
        (b"{}", "validate"),
    ],
)
def test_values_that_say_no_fact_are_undecodable(value: bytes | None, stage: str) -> None:
    """Whatever the bytes are, it is this one error."""
    with pytest.raises(UndecodableError) as refusal:
        decode(open_envelope(encode(STARTED, source="/s").headers), value)

    assert refusal.value.stage == stage


@pytest.mark.parametrize(
    "fields",
    [
        {"run_started_at": "2026-11-01T00:00:00"},
        {"run_started_at": "0001-01-01T00:00:00+14:00"},
        {"run_started_at": "9999-12-31T23:59:59-14:00"},
        {"run_started_at": "0001-01-01T00:00:00Z"},
        {"run_started_at": "9999-12-31T23:59:59.999999Z"},
        {"run": {"team": "Ads", "dag_id": "d", "run_id": "r"}},
        {"run": {"team": "ads", "dag_id": "", "run_id": "r"}},
        {"run": {"team": "ads", "dag_id": "d", "run_id": "r" * 251}},
        {"team_rule": "guess"},
        {"clear_number": "many"},
        {"clear_number": 2**31},
    ],
)
def test_fields_that_break_a_rule_are_undecodable(fields: dict[str, object]) -> None:
    """Naive times, moments outside the calendar, malformed teams, words nobody knows, numbers no database takes."""
    value = json.dumps({**json.loads(STARTED.model_dump_json()), **fields}).encode()

    with pytest.raises(UndecodableError) as refusal:
        decode(open_envelope(encode(STARTED, source="/s").headers), value)

    assert refusal.value.stage == "validate"


def test_a_type_nobody_knows_is_no_error() -> None:
    """A newer writer says more: it is counted and skipped."""
    headers = changed(encode(STARTED, source="/s"), ce_type=b"outrider.airflow.run-paused.v1")

    assert decode(open_envelope(headers), b"whatever") is None


@SLOW
@given(data=st.data())
def test_fields_added_by_a_newer_writer_are_dropped(data: st.DataObject) -> None:
    """At every depth, also in documents that are closed for those who write them."""
    status = data.draw(instances(TeamStatus))
    record = encode(status, source="/s")

    value = json.loads(record.value)
    value["colour"] = "red"
    if value["spec"]:
        value["spec"] |= {"colour": "red"}
        value["spec"]["storage"]["retention"] |= {"colour": "red"}

    assert decode(open_envelope(record.headers), json.dumps(value).encode()) == status


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=4))
def test_noise_never_raises_anything_else(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    """A consumer needs to know one error."""
    envelope = open_envelope(encode(STARTED, source="/s").headers)
    for attempt in (lambda: open_envelope(headers), lambda: decode(envelope, value)):
        with pytest.raises(UndecodableError):
            attempt()


def test_a_text_with_nul_is_not_valid() -> None:
    """No database takes one; refused here it costs no handler a try. A backslash before `u0000` is only a backslash."""
    record = encode(STARTED, source="/s")

    def spelt(dag_id: str) -> bytes:
        value = json.loads(record.value)
        value["run"]["dag_id"] = dag_id
        return json.dumps(value).encode()

    assert decode(open_envelope(record.headers), spelt("a\\u0000b")) is not None
    with pytest.raises(UndecodableError, match="NUL"):
        decode(open_envelope(record.headers), spelt("a\0b"))


def test_a_trace_that_is_none_is_left_out() -> None:
    """It would be copied into every answer."""
    headers = [(n, v) for n, v in encode(STARTED, source="/s").headers if n != "traceparent"]

    for odd in (b"\xff", b"x" * 100_000, b"a\0", None):
        assert open_envelope([*headers, ("traceparent", odd)]).traceparent == ""
