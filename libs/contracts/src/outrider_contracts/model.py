"""The base of everything said: frozen, open when read (unknown fields are dropped), compared by value."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Model(BaseModel):
    """A value of the contracts. Readers ignore fields they do not know, so writers may add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="iso8601")


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""These two are "-infinity" and "infinity" to asyncpg, which gives them back without a time zone."""


def _utc(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        moment = _FIRST  # or beyond the last: neither is taken
    if not _FIRST < moment < _LAST:
        raise ValueError("the moment is not between the first and the last one of the years 1 to 9999 in UTC")
    return moment


def _signed(bits: int) -> AfterValidator:
    """An integer as databases have columns for it; its schema says that it is one."""
    end = 1 << bits - 1

    def check(value: int) -> int:
        if not -end <= value < end:
            raise ValueError(f"the number does not fit into {bits} bits")
        return value

    return AfterValidator(check)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with a time zone, kept in UTC so that one moment has one spelling."""

Count = Annotated[int, _signed(32)]
"""How many, or the how-manieth."""

Size = Annotated[int, _signed(64)]
"""Bytes or things that are stored."""
