"""A dead letter is taken apart into exactly the record it was made of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outrider_bus.deadletters import Why, dead_letter, open_letter
from outrider_bus.records import RawHeaders, RawRecord

AT = datetime(2026, 11, 1, 12, 0, 0, 123_000, tzinfo=UTC)
NAMES = st.one_of(st.text(max_size=5), st.sampled_from(["dlq-group", "dlq-stage", "dlq-origin-topic"]))
HEADERS = st.lists(st.tuples(NAMES, st.one_of(st.none(), st.binary(max_size=9))), max_size=6).map(tuple)


@given(HEADERS, st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()))
def test_what_goes_in_comes_out_untouched(headers: RawHeaders, key: bytes | None, value: bytes | None) -> None:
    """Also where the record has headers of our names itself, or was a dead letter before."""
    record = RawRecord("outrider.airflow.v1", 3, 77, AT, key, value, headers)
    row = dead_letter(record, Why("handle", "a bug", 5), topic="outrider.dlq.x", group="g")

    letter = open_letter(RawRecord("outrider.dlq.x", 0, 1, AT, row.key, row.value, row.headers))

    assert letter.record == record
    assert (letter.group, letter.why) == ("g", Why("handle", "a bug", 5))


@pytest.mark.parametrize("headers", [(), (("dlq-group", b"g"),), (("dlq-group", b"g"), ("dlq-origin-topic", None))])
def test_a_record_that_is_no_letter_is_said_to_be_none(headers: RawHeaders) -> None:
    with pytest.raises(ValueError, match="is no dead letter"):
        open_letter(RawRecord("outrider.dlq.x", 0, 1, AT, None, None, headers))


def test_a_topic_that_was_made_anew_has_other_letters_at_the_same_offset() -> None:
    """The outbox takes an id once: while one letter waits there the other one would be dropped."""
    old = RawRecord("outrider.team.ads.inbox.v1", 0, 0, AT, None, b"poison")
    new = old._replace(timestamp=AT.replace(day=2))

    one, other, again = (dead_letter(r, Why("value", "no JSON"), topic="t", group="g").id for r in (old, new, old))

    assert one != other
    assert one == again
