"""What a subscription asks of those who work off its records: BatchRunner and LaneRunner."""

from collections.abc import Sequence
from typing import Protocol

from outrider_bus.reading.assignment import Assignment
from outrider_bus.records import RawRecord


class Runner(Protocol):
    """Works off what a subscription reads."""

    def assigned(self, assignment: Assignment) -> None:
        """From now on records belong to *assignment*; nothing of an earlier one is left."""

    def feed(self, records: Sequence[RawRecord]) -> None:
        """Take records of the current assignment, in partition order. Returns at once."""

    async def drain(self) -> None:
        """Bring work in hand to its end and drop what has not begun."""
