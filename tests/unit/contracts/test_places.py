"""Places: no two tasks share one, no deletable directory holds another, and nothing else passes for one."""

import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote, unquote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from outrider_contracts.keys import TaskKey
from outrider_contracts.places import escape, execution_date, generation_path, parse_generation_path, place

from tests.unit.contracts.anything import INSTANTS, TEAMS

NASTY = st.sampled_from([*list("am01g~./%+- _é\x00\n\\"), "~~", "%2e", "%252e", "run~", "m0", "g1", "%7e", "0" * 99])
NAMES = st.lists(NASTY, min_size=1, max_size=8).map("".join) | st.text(st.characters(codec="utf-8"), min_size=1)
OUTPUTS = NAMES.filter(lambda name: "~~" not in escape(name))
DATES = st.none() | INSTANTS
TASKS = st.builds(
    TaskKey,
    team=TEAMS,
    dag_id=NAMES.map(lambda name: name[:250]),
    run_id=NAMES.map(lambda name: name[:250]),
    task_id=NAMES.map(lambda name: name[:250]),
    map_index=st.integers(-1, 12),
)
VERSIONS = st.tuples(TASKS, DATES, OUTPUTS, st.integers(1, 12))


def decodings(path: str) -> list[str]:
    """What servers and proxies on the way may make of *path*."""
    once, plus = unquote(path), unquote_plus(path)
    return [path, once, plus, unquote(once), unquote_plus(plus)]


@given(NAMES, NAMES)
@example("a.", "a~2e")
@example("~", "~7e")
@example("a" * 250, "a" * 249 + "b")
@example("/" * 250, "/" * 249)
def test_two_names_never_share_a_segment_even_after_url_decoding(left: str, right: str) -> None:
    """Whoever decodes once or twice on the way still can't make one name's path into another's."""
    assume(left != right)

    assert not set(decodings(escape(left))) & set(decodings(escape(right)))


@given(NAMES | st.text(st.characters(codec="utf-8"), min_size=200, max_size=300))
def test_a_segment_is_safe_everywhere(name: str) -> None:
    """Letters, digits, `_`, `-`, `~` and inner dots; no `.` or `..`; at most 200 characters; the same when decoded."""
    segment = escape(name)

    assert re.fullmatch(r"[A-Za-z0-9_~-]([A-Za-z0-9_.~-]*[A-Za-z0-9_~-])?", segment)
    assert len(segment) <= 200
    assert set(decodings(segment)) == {segment}


def test_an_empty_name_has_no_place() -> None:
    """Two slashes in a row would be read as one."""
    with pytest.raises(ValueError, match="empty"):
        escape("")


def test_a_long_name_cannot_be_named_by_a_short_one() -> None:
    """The spelling of a shortened name is the spelling of nothing else: `~~` never stands in a full one."""
    shortened = escape("é" * 250)

    assert escape(shortened) != shortened
    assert "~~" not in escape("~" * 60)


@given(st.lists(st.tuples(DATES, NAMES), min_size=2, max_size=2))
@example([(datetime(2026, 11, 1, tzinfo=UTC), "x"), (None, "20261101T000000.000000Z")])
def test_runs_share_a_date_segment_only_when_their_logical_date_is_one_moment(
    pair: list[tuple[datetime | None, str]],
) -> None:
    """Airflow allows one run per logical date; runs without one are told apart by their id."""
    (left_date, left_run), (right_date, right_run) = pair
    same = left_date == right_date if left_date and right_date else (left_date, left_run) == (right_date, right_run)

    assert (execution_date(left_date, left_run) == execution_date(right_date, right_run)) == same


def test_a_moment_has_one_segment_in_every_time_zone() -> None:
    """Workers in other zones find the same place."""
    moment = datetime(2026, 11, 1, tzinfo=UTC)

    assert execution_date(moment, "r") == "20261101T000000.000000Z"
    assert execution_date(moment.astimezone(timezone(timedelta(hours=9))), "r") == "20261101T000000.000000Z"
    with pytest.raises(ValueError, match="time zone"):
        execution_date(moment.replace(tzinfo=None), "r")


@given(VERSIONS, VERSIONS)
@example(
    (TaskKey(team="ads", dag_id="d", run_id="r", task_id="t"), None, "m0", 1),
    (TaskKey(team="ads", dag_id="d", run_id="r", task_id="t", map_index=0), None, "g1", 1),
)
@example(
    (TaskKey(team="pay", dag_id="d", run_id="r", task_id="t"), None, "o", 1),
    (TaskKey(team="payroll", dag_id="d", run_id="r", task_id="t"), None, "o", 11),
)
def test_no_generation_directory_lies_within_another(
    left: tuple[TaskKey, datetime | None, str, int], right: tuple[TaskKey, datetime | None, str, int]
) -> None:
    """Deleting every key under one prefix deletes nothing of another version."""
    first, second = (generation_path(place(task, date), output, number) for task, date, output, number in (left, right))
    assume(first != second)

    for one, other in ((a, b) for a in decodings(first) for b in decodings(second)):
        assert not one.startswith(other)
        assert not other.startswith(one)


@given(VERSIONS)
def test_a_generation_directory_taken_apart_gives_what_it_was_made_of(
    version: tuple[TaskKey, datetime | None, str, int],
) -> None:
    """Storage finds the row of a directory, and only of that one."""
    task, date, output, number = version

    parsed = parse_generation_path(generation_path(place(task, date), output, number))

    assert parsed == (task.team, place(task, date), output, number)


GOOD = "ads/daily/load/20261101T000000.000000Z/orders/g1/"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "ads/",
        "ads/daily/load/20261101T000000.000000Z/",
        "ads/daily/load/20261101T000000.000000Z/orders/",
        GOOD[:-1],
        "/" + GOOD,
        GOOD + "x",
        GOOD + "/",
        GOOD.replace("ads", "Ads"),
        GOOD.replace("ads", "a"),
        GOOD.replace("ads", ".."),
        GOOD.replace("daily", "."),
        GOOD.replace("daily", ".hidden"),
        GOOD.replace("daily", "da ily"),
        GOOD.replace("daily", "da%69ly"),
        GOOD.replace("daily", "dail~zz"),
        GOOD.replace("daily", "dail~7E"),
        GOOD.replace("daily", "daily."),
        GOOD.replace("orders", "orders~61"),
        GOOD.replace("orders", "~ff"),
        GOOD.replace("orders", "m0"),
        GOOD.replace("orders/", "m0/m1/orders/"),
        GOOD.replace("orders/", "m00/orders/"),
        GOOD.replace("orders/", "m/orders/"),
        GOOD.replace("20261101T000000.000000Z", "20261101"),
        GOOD.replace("20261101T000000.000000Z", "run~"),
        GOOD.replace("g1", "g0"),
        GOOD.replace("g1", "g01"),
        GOOD.replace("g1", "g1\n"),
        GOOD.replace("g1", "g١"),
        GOOD + "\n",
    ],
)
def test_what_is_no_generation_directory_is_refused(path: str) -> None:
    """Only what `generation_path` makes may ever be deleted."""
    with pytest.raises(ValueError, match=r"."):
        parse_generation_path(path)


@given(st.text(alphabet="adm01g~./-Z%", max_size=60), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_whatever_parses_is_spelled_as_it_would_be_made(noise: str, start: int, end: int) -> None:
    """There is no second spelling of a directory."""
    path = GOOD[:start] + noise + GOOD[end:]
    try:
        parsed = parse_generation_path(path)
    except ValueError:
        return

    assert generation_path(parsed.place, parsed.output, parsed.generation) == path


def test_generations_count_from_one() -> None:
    """Nothing is generation 0; an output name that would be shortened is refused."""
    with pytest.raises(ValueError, match="count from 1"):
        generation_path("p", "orders", 0)
    with pytest.raises(ValueError, match="too long"):
        generation_path("p", "x" * 201, 1)
