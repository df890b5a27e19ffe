"""What a runner has done so far, for health and metrics."""

from dataclasses import dataclass

import structlog

_LOG = structlog.get_logger()


@dataclass
class Counters:
    """Counts of one group since the process began."""

    group: str
    skipped: int = 0
    dead_letters: int = 0
    retries: int = 0
    is_waiting: bool = False
    broken: str = ""

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
