"""Durations and declarations as authors write them."""

from datetime import timedelta

import pytest
from outrider_contracts.declarations import Input, Output, Source, parse_declaration, parse_duration


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, meant: timedelta) -> None:
    """Five units, nothing to compose."""
    assert parse_duration(text) == meant


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "7.5d", "7D", "٧d", "9" * 30 + "d", "9" * 5000 + "d"])
def test_anything_else_is_refused_as_a_value_error(text: str) -> None:
    """Also what is too long for any clock: a fact that says so is a dead letter, not a crash."""
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration(text)


def test_what_an_author_writes_is_read_back_as_it_was_meant() -> None:
    """`Input` and the others are dicts, so they survive Airflow's serialisation."""
    declared = parse_declaration(
        "transform",
        inputs={"orders": Input(task="extract", output="orders")},
        outputs={"daily": Output(retention="7d")},
        sources={"raw": Source(connection="orders_db")},
    )

    assert declared.inputs["orders"].selection == "same"
    assert declared.outputs["daily"].retention == "7d"
    assert declared.sources["raw"].connection == "orders_db"


def test_an_input_of_another_dag_is_its_newest_version() -> None:
    """Unless the same logical date is asked for."""
    declared = parse_declaration("t", inputs={"a": Input("load", "orders", dag="shop")})

    assert declared.inputs["a"].selection == "latest"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"inputs": {"a": Input("t", "o", team="news")}}, "needs its dag"),
        ({"inputs": {"a": Input("t", "o", dag="d", run="same")}}, "no same run"),
        ({"outputs": {"a": Output(retention="soon")}}, "no duration"),
        ({"outputs": {"a": Output(retention="9" * 30 + "d")}}, "longer"),
        ({"outputs": {"1a": Output()}}, "no name"),
        ({"outputs": {"a/b": Output()}}, "no name"),
        ({"outputs": {"": Output()}}, "no name"),
    ],
)
def test_a_wrong_declaration_is_refused_in_the_authors_words(declared: dict[str, object], words: str) -> None:
    """The task is named, and what to write instead."""
    with pytest.raises(ValueError, match=words) as refusal:
        parse_declaration("transform", **declared)

    assert "'transform'" in str(refusal.value)
