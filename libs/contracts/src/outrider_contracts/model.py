"""The base of everything said: frozen, open when read (unknown fields are dropped), compared by value."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Model(BaseModel):
    """A value of the contracts. Readers ignore fields they do not know, so writers may add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="iso8601")


def _utc(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        moment = datetime.max
    if not datetime.min.year < moment.year < datetime.max.year:  # there has to be a before and an after
        raise ValueError("the moment lies outside the years 2 to 9998 in UTC")
    return moment


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with a time zone, kept in UTC so that one moment has one spelling."""
