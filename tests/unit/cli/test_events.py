"""How `outrider events` reads what is typed and spells what lies in Kafka, whatever that is."""

import json
import unicodedata
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from outrider_cli.connection import Connection, NotConnected
from outrider_cli.events_broker import Broker, Group, expected
from outrider_cli.events_format import length, size, visible
from outrider_cli.events_groups import Lag, totals
from outrider_cli.events_letters import Letter, Wanted, find, parse_id
from outrider_cli.events_parked import act
from outrider_cli.events_parked import find as find_sick
from outrider_cli.events_records import Shown, as_json, as_text, hex_lines, matches, value_text
from outrider_cli.events_tail import read_moment
from outrider_cli.events_times import moment
from outrider_cli.events_topics import faults_of
from outrider_cli.main import app
from outrider_contracts.operations import ParkedRequest
from outrider_contracts.topics import SHARED, TopicSpec, dead_letters
from typer.testing import CliRunner

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPEC = TopicSpec("outrider.a.v1", "a", "a", partitions=2, retention_ms=1000)


def record(key: bytes | None = b"ads/daily/r1", value: bytes | None = b"{}", **headers: bytes) -> Shown:
    return Shown("outrider.airflow.v1", 3, 7, NOW, key, value, tuple(headers.items()))


@given(st.one_of(st.text(), st.binary()))
def test_nothing_from_outside_acts_on_a_terminal(text: str | bytes) -> None:
    shown = visible(text)

    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()), st.binary())
def test_every_record_can_be_shown_to_people_and_programs(
    key: bytes | None, value: bytes | None, header: bytes
) -> None:
    one = record(key, value, ce_type=header, ce_id=header)

    assert "\x1b" not in as_text(one).plain
    assert as_json(one)["offset"] == 7


def test_what_people_write_in_their_own_script_stays_as_it_is() -> None:
    assert visible("Åse söker ñandú 東京 ✈") == "Åse söker ñandú 東京 ✈"


def test_a_value_is_shown_as_json_as_text_or_escaped() -> None:
    assert value_text(b'{"a":"\xc3\xa5"}') == '{"a": "å"}'
    assert value_text(b'{"a":1}', indent=2) == '{\n  "a": 1\n}'
    assert value_text(b'{"a": "\\u009b2J"}') == '{"a": "\\x9b2J"}'
    assert value_text(b"\xff\x1b") == r"\xff\x1b"
    assert value_text(b"[" * 100_000).startswith("[[[")
    assert value_text(None) == "(no value)"


def test_bytes_are_shown_sixteen_to_a_line() -> None:
    lines = hex_lines(b"0123456789abcdef\x00\xff").splitlines()

    assert lines[0].endswith("  0123456789abcdef")
    assert lines[1] == f"{'00000010  00 ff':<57}  .."


def test_records_are_chosen_by_team_type_and_key() -> None:
    one = record(ce_type=b"outrider.airflow.run-finished.v1")

    assert matches(one, team="ads", type_="outrider.airflow.*", key="ads/*/r1")
    assert not matches(one, team="ad", type_=None, key=None)
    assert not matches(one, team=None, type_="outrider.airflow.run-started.*", key=None)
    assert not matches(one, team=None, type_=None, key="ads/daily")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-22T10:00Z", NOW - timedelta(hours=2)),
        ("2026-11-22T10:00", NOW - timedelta(hours=2)),
        ("2026-11-22T11:00+01:00", NOW - timedelta(hours=2)),
        ("2026-11-22", NOW - timedelta(hours=12)),
    ],
)
def test_a_time_is_a_while_ago_or_a_moment(text: str, at: datetime) -> None:
    assert read_moment(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-2h", "99999999999999999d", "2026-13-01"])
def test_what_is_no_time_is_a_mistake_in_the_command(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        read_moment(text, NOW)


@pytest.mark.parametrize(
    "command",
    [
        ("tail", "airflow.v1", "-n", "-1"),
        ("tail", "airflow.v1", "--partition", "-1"),
        ("parked", "retry", "--all", "--reason", "x" * 501),
        ("outbox", "retry", "--all", "--reason", "x" * 501),
        ("dlq", "redrive", "storage/0/1", "--reason", "x" * 501),
        ("dlq", "redrive", "storage/0/1", "--reason", "\udcff"),
        ("dlq", "discard", "storage/0/1", "--reason", ""),
        ("replay", "storage", "--reason", "x" * 501),
        ("replay", "storage", "--rate", "inf"),
    ],
)
def test_what_nobody_would_take_is_a_mistake_in_the_command(command: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["events", *command]).exit_code == 2


def test_a_timestamp_is_whatever_its_writer_says() -> None:
    assert moment(-1).year == 1970
    assert moment(1 << 62).year == 9999


def test_durations_and_sizes_are_told_in_their_largest_unit() -> None:
    assert [length(s) for s in (0, 0.24, 12.4, 90, 5400, 200_000)] == [
        "0 s", "0.2 s", "12 s", "1.5 min", "1.5 h", "2.3 d",
    ]  # fmt: skip
    assert [size(n) for n in (None, 3, 2048, 3 << 20)] == ["", "3 B", "2 KiB", "3.0 MiB"]


def test_how_a_topic_differs_is_said() -> None:
    right = SPEC.configuration

    assert faults_of(SPEC, 2, right) == []
    assert faults_of(SPEC, 2, {}) == []
    assert "missing" in faults_of(SPEC, None, {})[0]
    assert "not in the registry" in faults_of(None, 2, right)[0]
    assert faults_of(SPEC, 1, {**right, "retention.ms": "5"}) == [
        "has 1 partitions, the registry says 2",
        "has retention.ms=5, the registry says 1000",
    ]


def test_topics_of_a_team_are_expected_together() -> None:
    names = expected(["outrider.team.ads.inbox.v1"]).keys()

    assert names == {spec.name for spec in SHARED} | {"outrider.team.ads.inbox.v1", "outrider.team.ads.events.v1"}


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("storage", "storage"), ("storage.teams", "storage"), ("lineage-inbox", "lineage"),
        ("outrider.team.ads.reports", "team ads"), ("somebody", ""),
    ],
)  # fmt: skip
def test_a_group_belongs_to_whose_prefix_it_bears(name: str, owner: str) -> None:
    assert Group(name, "stable", (), {}).owner == owner


def test_a_group_is_as_late_as_its_latest_partition() -> None:
    lags = [Lag("g", "t", 0, 5, 10, 5, 3.0), Lag("g", "t", 1, None, 2, 2, 60.0), Lag("h", "t", 0, 1, 1, 0, 0.0)]

    assert totals(lags) == [("g", 7, 60.0), ("h", 0, 0.0)]


def test_an_age_that_can_not_be_seen_is_too_far_for_who_asks_for_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a pager stays silent where the operator may not read the topic."""
    lags = [Lag("g", "t", 0, 5, 10, 5, 3.0), Lag("g", "t", 1, 5, 10, 5, None)]
    monkeypatch.setattr("outrider_cli.events_groups.broker_of", lambda _: nullcontext())
    monkeypatch.setattr("outrider_cli.events_groups.measure", lambda *_: lags)

    bounded = CliRunner().invoke(app, ["events", "lag", "--max-seconds", "60"])
    unbounded = CliRunner().invoke(app, ["events", "lag", "--json"])

    assert totals(lags) == [("g", 10, None)]
    assert bounded.exit_code == 3
    assert "unknown" in bounded.output
    assert unbounded.exit_code == 0
    assert [lag["seconds"] for lag in json.loads(unbounded.output)] == [3.0, None]


class Blind(Broker):
    """What a user without rights is shown by Kafka: nothing, and no error."""

    def __init__(self) -> None:
        pass

    def partitions(self) -> dict[str, int]:
        return {}


def test_what_is_not_shown_is_not_taken_for_well() -> None:
    nowhere = Connection(urls={}, client_id="", secret_file=Path(), kafka={})

    with pytest.raises(NotConnected, match=r"outrider\.dlq\.storage.* not for this user's eyes"):
        find(Blind(), nowhere, Wanted(), settled=False)


class Sick(Connection):
    """A platform whose storage has 2,500 sick lanes; it takes as many names at once as the contract lets it."""

    def ask(self, service: str, path: str, method: str = "GET", **options: Any) -> Any:
        if method == "GET":
            known = {"team": "ads", "attempts": 1, "next_try_at": NOW, "parked_at": NOW, "reason": "", "behind": 0}
            lanes = [{"group": "storage", "lane": f"l{n}", "record": "t/0/1", "key": "k", **known} for n in range(2500)]
            return {"lanes": lanes if service == "storage" else []}
        wanted = ParkedRequest.model_validate(options["json"])
        return {"lanes": [{**one.model_dump(), "outcome": "done"} for one in wanted.lanes]}


def test_all_sick_lanes_are_tried_however_many(capsys: pytest.CaptureFixture[str]) -> None:
    connection = Sick(urls={}, client_id="", secret_file=Path(), kafka={})

    act(connection, "retry", find_sick(connection, None, None), "mended")

    assert len(capsys.readouterr().out.splitlines()) == 2500


def test_an_id_names_service_partition_and_offset() -> None:
    assert parse_id("storage/0/123") == ("storage", 0, 123)


@pytest.mark.parametrize("text", ["", "storage", "storage/0", "nobody/0/1", "storage/0/-1", "storage/0/1/2", "a\n/0/1"])
def test_what_is_no_id_is_answered_with_the_form(text: str) -> None:
    with pytest.raises(NotConnected, match="service/partition/offset"):
        parse_id(text)


def test_a_letter_says_what_the_bus_wrote_and_not_what_the_record_claimed() -> None:
    """A record may carry headers of the bus's names itself; the bus writes its own behind them."""
    written = (
        ("dlq-stage", b"forged"), ("dlq-origin-topic", b"outrider.team.news.inbox.v1"), ("dlq-stage", b"value"),
        ("dlq-origin-partition", b"0"), ("dlq-origin-offset", b"9"),
    )  # fmt: skip
    letter = Letter("lineage", Shown(dead_letters("lineage"), 0, 4, NOW, b"ads/x", b"{", written))

    assert (letter.id, letter.origin) == ("lineage/0/4", "outrider.team.news.inbox.v1/0/9")
    assert (letter.said("stage"), letter.team) == ("value", "news")
    assert Wanted(team="news", stage="value", since=NOW).takes(letter)
    assert not Wanted(since=NOW + timedelta(seconds=1)).takes(letter)
    assert not Wanted(stage="forged").takes(letter)
