"""The compatibility check itself: what passes as an addition, and each way of breaking readers."""

from typing import Any, Literal

import pytest
from outrider_contracts.compatibility import breaks
from outrider_contracts.model import Model
from pydantic import Field


class Part(Model):
    """As released."""

    word: str = Field(pattern="^a")


class Fact(Model):
    """As released."""

    name: str
    count: int = 0
    state: Literal["on", "off"] = "on"
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = Field(default_factory=dict)
    maybe: Part | None = None


def schema(kind: type[Model]) -> dict[str, Any]:
    return kind.model_json_schema(mode="serialization")


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of Fact with some fields declared differently."""
    body = {"__annotations__": {name: kind for name, (kind, _) in fields.items()}, "__module__": __name__}
    return schema(type("Fact", (Fact,), {**body, **{name: field for name, (_, field) in fields.items()}}))


def test_nothing_changed_breaks_nothing() -> None:
    """The check is quiet when it should be."""
    assert breaks(schema(Fact), schema(Fact)) == []


def test_an_optional_field_may_be_added() -> None:
    """Old readers drop it, new readers do without it; in nested models too."""

    class Grown(Part):
        colour: str = ""

    assert breaks(schema(Fact), changed(colour=(str | None, None))) == []
    assert breaks(schema(Part), schema(Grown)) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": (str, Field())}, ".colour: added as required"),
        ({"count": (int, Field())}, ".count: required now"),
        ({"count": (str, "0")}, ".count: type"),
        ({"count": (int, 1)}, ".count: default"),
        ({"count": (int | None, 0)}, ".count: anyOf"),
        ({"name": (str, Field(max_length=9))}, ".name: maxLength"),
        ({"state": (Literal["on", "off", "lost"], "on")}, ".state: enum"),
        ({"state": (Literal["on"], "on")}, ".state: const"),
        ({"parts": (tuple[str, ...], ())}, ".parts[]"),
    ],
)
def test_everything_else_is_a_break(fields: dict[str, Any], words: str) -> None:
    """Each way is named with the field."""
    assert any(fault.startswith(words) for fault in breaks(schema(Fact), changed(**fields)))


def test_a_removed_field_and_a_change_deep_inside_are_seen() -> None:
    """Also through lists, mappings and options."""
    released = schema(Fact)
    present: dict[str, Any] = schema(Fact)
    del present["properties"]["count"]
    present["$defs"]["Part"]["properties"]["word"]["pattern"] = "^b"

    found = breaks(released, present)

    assert ".count: removed" in found
    assert {fault.split(":")[0] for fault in found} == {".count", ".parts[].word", ".by_name[].word", ".maybe.word"}
