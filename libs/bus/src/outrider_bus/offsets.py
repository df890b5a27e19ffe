"""How far a partition is worked off: pure bookkeeping, no I/O."""

from collections import deque


class OffsetTracker:
    """Knows which offset may be committed: the one behind the last record below which all are done.

    Offsets of a log have gaps (compaction, transaction markers), so what was fed is remembered, nothing is counted.
    """

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._done: set[int] = set()
        self._watermark: int | None = None
        self.last_fed: int | None = None

    def feed(self, offset: int) -> None:
        """A record was handed out. Offsets come in rising order."""
        self._open.append(offset)
        self.last_fed = offset

    def done(self, offset: int) -> None:
        """That record is worked off; the order of these calls does not matter."""
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            first = self._open.popleft()
            self._done.discard(first)
            self._watermark = first + 1

    @property
    def committable(self) -> int | None:
        """The next offset a new reader should start at; None while nothing can be told."""
        return self._watermark

    @property
    def in_flight(self) -> int:
        """How many records were handed out above the watermark."""
        return len(self._open)
