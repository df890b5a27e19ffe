"""How thorough a run of the bench is."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Rounds are interleaved: every contender once, then all again. `quick` is for trying the bench out."""

    rounds: int = 3
    quick: bool = False

    def of(self, full: int) -> int:
        """A number of records (or seconds × 100): *full*, or a tenth of it when quick."""
        return max(1, full // 10) if self.quick else full

    def say(self, progress: str) -> None:
        """Tell people how far the run is; figures for scripts go to stdout."""
        print(progress, file=sys.stderr, flush=True)
