"""What people ask for, as far as no table is needed to say no."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from outrider_contracts.holdings import HoldRequest
from storage.adapters.memory import MemoryAirflow, MemoryIssuer, MemoryStore, MemoryTeams
from storage.cases import people
from storage.cases.work import Terms, Work
from storage.domain.refusals import Refused

if TYPE_CHECKING:
    from outrider_bus.ports import Database


async def test_a_hold_beyond_all_dates_is_refused() -> None:
    nothing_asked = cast("Database", None)
    work = Work(
        nothing_asked, MemoryStore(), MemoryIssuer(), MemoryAirflow(), MemoryTeams(), Terms(),
        lambda: datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip

    with pytest.raises(Refused, match="999999w") as refusal:
        await people.hold(work, HoldRequest(path="ads/daily", duration="999999w"), "ann")
    assert refusal.value.reason == "bad-duration"
