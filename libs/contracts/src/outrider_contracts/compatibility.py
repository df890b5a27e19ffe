"""Whether facts of one release can be read by another: within a type, changes only add optional fields.

Compared are JSON Schemas. What old writers wrote must parse in new readers and the other way round, so a field keeps
its type, its bounds and its default, and no enum grows: an old reader would refuse the new word.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_SAID_FOR_PEOPLE = frozenset({"title", "description", "examples", "$id", "$defs", "properties", "required"})
_ALTERNATIVES = ("anyOf", "oneOf", "allOf", "prefixItems")
Schema = Mapping[str, Any]


def breaks(released: Schema, present: Schema) -> list[str]:
    """What a reader of one would stumble over in facts of the other; empty where changes only add."""
    return sorted(set(_compare(released, present, (released, present), "", frozenset())))


def _compare(
    old: Schema, new: Schema, roots: tuple[Schema, Schema], at: str, seen: frozenset[tuple[str, str]]
) -> Iterator[str]:
    names = (old.get("$ref", ""), new.get("$ref", ""))
    if any(names):
        if names in seen:
            return
        seen |= {names}
        old, new = _resolved(old, roots[0]), _resolved(new, roots[1])
    yield from _fields(old, new, roots, at, seen)
    for word in sorted((old.keys() | new.keys()) - _SAID_FOR_PEOPLE):
        before, after = old.get(word), new.get(word)
        if word in _ALTERNATIVES and isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for one, other in zip(before, after, strict=True):
                yield from _compare(one, other, roots, at, seen)
        elif word in ("items", "additionalProperties") and isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(before, after, roots, f"{at}[]", seen)
        elif before != after:
            yield f"{at or 'the fact'}: {word} was {before!r} and is {after!r}"


def _fields(
    old: Schema, new: Schema, roots: tuple[Schema, Schema], at: str, seen: frozenset[tuple[str, str]]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before.keys() - after.keys():
        yield f"{at}.{name}: removed"
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{at}.{name}: required now" if name in before else f"{at}.{name}: added as required"
    for name in before.keys() & after.keys():
        yield from _compare(before[name], after[name], roots, f"{at}.{name}", seen)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema a reference stands for, with what is said beside the reference."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    named: Schema = root["$defs"][reference.rsplit("/", 1)[-1]]
    return {**named, **{word: value for word, value in schema.items() if word != "$ref"}}
