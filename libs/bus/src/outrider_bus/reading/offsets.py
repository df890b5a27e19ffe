"""How far a partition is worked off: pure bookkeeping, no I/O."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime


class OffsetTracker:
    """Knows which offset may be committed: the one behind the last record below which all are done, and what is held
    above it.

    Offsets of a log have gaps (compaction, transaction markers), so what was fed is remembered, nothing is counted.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._open: deque[tuple[int, datetime, int]] = deque()
        self._done: set[int] = set()
        self._clock = clock
        self._moved = 0.0
        self.held = 0
        """Bytes of the records above the watermark, as `feed` was told."""
        self.committable: int | None = None
        """The next offset a new reader should start at; None while nothing can be told."""
        self.last_fed: int | None = None

    def feed(self, offset: int, said_at: datetime, size: int = 0) -> None:
        """A record was handed out. Offsets come in rising order."""
        if not self._open:
            self._moved = self._clock()
        self._open.append((offset, said_at, size))
        self.held += size
        self.last_fed = offset

    def done(self, offset: int) -> None:
        """That record is worked off; the order of these calls does not matter."""
        self._done.add(offset)
        if not self._open or self._open[0][0] != offset:
            return
        self._moved = self._clock()
        while self._open and self._open[0][0] in self._done:
            first, _, size = self._open.popleft()
            self._done.discard(first)
            self.committable = first + 1
            self.held -= size

    def reached(self, position: int) -> bool:
        """Reading stands at *position*: what lies below and was never handed out is no record (markers of
        transactions, what was taken back, what was compacted away). True where the watermark moves."""
        if self._open or position <= (self.committable or 0):
            return False
        self.committable = position
        return True

    @property
    def in_flight(self) -> int:
        """How many records were handed out above the watermark."""
        return len(self._open)

    @property
    def first_open(self) -> tuple[int, datetime] | None:
        """Offset and time of the record that holds the watermark."""
        return self._open[0][:2] if self._open else None

    @property
    def watermark_age(self) -> float:
        """For how many seconds the watermark has not moved although there is work; 0 where there is none."""
        return self._clock() - self._moved if self._open else 0.0
