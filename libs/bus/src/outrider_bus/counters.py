"""What a runner has done so far, for health and metrics."""

from bisect import bisect_left
from dataclasses import dataclass, field

import structlog

from outrider_bus.deadletters import Why
from outrider_bus.records import RawRecord

_LOG = structlog.get_logger()
_RECORDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)


class Spread:
    """How values are spread: how many were at most each bound (the last count: above all bounds), and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass
class Counters:
    """Counts of one group since the process began; `parked_lanes` is how many lanes of ours are sick now."""

    group: str
    skipped: int = 0
    dead_letters: int = 0
    retries: int = 0
    parked_lanes: int = 0
    rebalances: int = 0
    removed_unread: int = 0
    is_waiting: bool = False
    broken: str = ""
    batch_records: Spread = field(default_factory=lambda: Spread(_RECORDS))
    """Records of each batch that was kept."""
    seconds: Spread = field(default_factory=lambda: Spread(_SECONDS))
    """How long each batch took, or each try of a lane's record."""

    def given_up(self, record: RawRecord, why: Why) -> None:
        """A record has become a dead letter: it is on its way with what was committed."""
        self.dead_letters += 1
        _LOG.warning("record given up", group=self.group, origin=str(record.origin), stage=why.stage, reason=why.reason)

    def removed(self, partition: str, offsets: int) -> None:
        """Retention was faster than the group: nothing can bring these back from Kafka."""
        self.removed_unread += offsets
        _LOG.error("removed by retention before it was read", group=self.group, partition=partition, offsets=offsets)

    def waits(self, why: str) -> None:
        """An outside system is away; said in the log once per outage."""
        if not self.is_waiting:
            _LOG.warning("waiting for an outside system", group=self.group, error=why)
        self.is_waiting = True

    def goes_on(self) -> None:
        """Work succeeds (again)."""
        if self.is_waiting:
            _LOG.info("going on", group=self.group)
        self.is_waiting = False
