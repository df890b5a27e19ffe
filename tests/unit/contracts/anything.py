"""Any value of any model of the contracts, as hypothesis strategies made from the models' own fields."""

import types
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from hypothesis import strategies as st
from outrider_contracts.model import Model
from outrider_contracts.names import check_new_team_id, check_team_id
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

M = TypeVar("M", bound=Model)

TEAMS = st.sampled_from(["ads", "news", "news-desk", "pay", "payroll", "ads-rw", "a00000000000000000000000000009"])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)
DURATIONS = st.sampled_from(["run", "forever", "90s", "12h", "7d", "2w"])
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001 - the zone is drawn

_BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "retention": st.none() | DURATIONS, "default": DURATIONS, "failed": DURATIONS, "output": NAMES,
    "format": st.none() | st.sampled_from(["parquet", "text/csv"]),
}  # fmt: skip
_BY_VALIDATOR: dict[object, st.SearchStrategy[Any]] = {check_team_id: TEAMS, check_new_team_id: TEAMS}


@lru_cache
def instances(model: type[M]) -> st.SearchStrategy[M]:
    """Values of *model*, every field drawn, each built through its validators."""
    from outrider_contracts.declarations import InputDeclaration
    from outrider_contracts.tenants import Acceptance, Offer

    if model is InputDeclaration:  # its fields depend on one another
        return st.builds(model, task=TEXT, output=NAMES, dag=st.just("daily"), team=st.none() | TEAMS, run=st.none())
    if model in (Offer, Acceptance):
        other = "to" if model is Offer else "from_"
        return st.builds(model, output=st.just("daily/transform/daily"), **{other: TEAMS})
    return st.builds(model, **{name: _of_field(name, field) for name, field in model.model_fields.items()})


def _of_field(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    for each in field.metadata:
        if (function := getattr(each, "func", None)) in _BY_VALIDATOR:
            return _BY_VALIDATOR[function]
        if pattern := getattr(each, "pattern", None):
            return st.from_regex(pattern, fullmatch=True)
    if name in _BY_FIELD and field.annotation in (str, str | None):
        return _BY_FIELD[name]
    if field.annotation is int:
        least = max((getattr(each, "ge", None) or 0 for each in field.metadata), default=0)
        return st.integers(least, 1000)
    return _of_type(field.annotation)


def _of_type(kind: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(_of_type, arguments))
    if origin is tuple:
        return st.lists(_of_type(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(NAMES, _of_type(arguments[1]), max_size=2)
    if kind in (datetime, AwareDatetime):
        return INSTANTS
    if hasattr(kind, "__metadata__"):
        return _of_field("", FieldInfo.from_annotation(kind))
    if isinstance(kind, type) and issubclass(kind, Model):
        return instances(kind)
    plain = {str: TEXT, int: st.integers(0, 1000), bool: st.booleans(), type(None): st.none()}
    return plain[kind]
