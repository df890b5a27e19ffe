"""Teams as tests write them."""

from datetime import UTC, datetime
from typing import Any

from outrider_contracts.tenants import TeamDesired, TeamSpec

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def uid(team: str) -> str:
    """A uid that belongs to *team* in tests."""
    return team.encode().hex().ljust(32, "0")[:32]


def desired(team: str, generation: int = 1, **spec: Any) -> TeamDesired:
    """A record of the onboarding topic."""
    made = TeamSpec.model_validate(spec)
    return TeamDesired(
        team=team, uid=uid(team), generation=generation, digest=made.digest, spec=made, requested_by="test",
        requested_at=NOW,
    )  # fmt: skip


def offers(to: str, output: str) -> dict[str, Any]:
    """A spec that offers *output* to team *to*."""
    return {"grants": {"offers": [{"to": to, "output": output}]}}


def accepts(from_: str, output: str) -> dict[str, Any]:
    """A spec that accepts *output* of team *from_*."""
    return {"grants": {"accepts": [{"from": from_, "output": output}]}}
