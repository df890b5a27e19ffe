"""A team's row as JSON, and back."""

from pydantic import TypeAdapter

from tenancy.domain.teams import TeamRecord

_RECORD = TypeAdapter(TeamRecord)


def to_json(record: TeamRecord) -> str:
    """The whole row."""
    return _RECORD.dump_json(record, by_alias=True).decode()


def from_json(text: str) -> TeamRecord:
    """The inverse of `to_json`."""
    return _RECORD.validate_json(text)
