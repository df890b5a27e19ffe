"""The rounds, one after the other for as long as the service lives."""

import asyncio

import structlog
from outrider_bus.ports import StaleEpochError, UnavailableError

from sweep.cases import Sweep

_LOG = structlog.stdlib.get_logger(__name__)


async def keep_going(sweep: Sweep, interval_seconds: float) -> None:
    """A round, then a pause of *interval_seconds*; waits where something is away."""
    while True:
        try:
            await sweep.round()
        except UnavailableError as error:
            sweep.counts["unavailable"] += 1
            _LOG.warning("something is away, the sweep waits", error=str(error))
        except StaleEpochError:
            _LOG.info("another sweep is at work")
        await asyncio.sleep(interval_seconds)
