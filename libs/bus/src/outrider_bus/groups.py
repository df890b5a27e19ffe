"""A consumer group as its service declared it: what operators look at, and what a replay hands records to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from outrider_contracts.event import Event

from outrider_bus.counters import Counters
from outrider_bus.ports import BatchHandler, Lane, LaneHandler, NeverAgain
from outrider_bus.reading.subscription import Subscription
from outrider_bus.records import Decoder


@dataclass(frozen=True)
class Group:
    """What one group hears and who handles it: `lane_handlers` by `lane`, or one `batch_handler`."""

    name: str
    topics: tuple[str, ...]
    pattern: str
    types: frozenset[type[Event]]
    never_again: NeverAgain
    decoder: Decoder
    counters: Counters
    subscription: Subscription
    batch_handler: BatchHandler | None = None
    lane_handlers: Mapping[type[Event], LaneHandler] = field(default_factory=dict)
    lane: Lane | None = None
    at_once: int = 1
    """How many lanes run at once, or how many records a batch holds."""

    @property
    def kind(self) -> Literal["lanes", "batches"]:
        """By which runner it hears."""
        return "batches" if self.batch_handler else "lanes"
