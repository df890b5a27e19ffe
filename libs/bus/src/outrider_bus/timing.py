"""Every waiting time of the bus in one place, and the back-off that uses them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds, all of them. The defaults are for production; tests shorten them."""

    retry_delays: tuple[float, ...] = (5, 15, 35, 65)
    """Waits before the second, third, … try of a parked record: five tries in two minutes, then a dead letter."""
    parked_poll: float = 2.0
    """How often at least a sick lane is looked at: an operator may have changed what is parked."""
    parked_look: float = 10.0
    """How often it is looked for lanes that were parked by a worker that had been frozen and did not know yet that its
    partitions are another's."""
    outage_first: float = 0.1
    outage_cap: float = 10.0
    """An outside system that is away is asked again after waits that double from the first to the cap."""
    drain: float = 20.0
    """How long work in hand may take to end when partitions are revoked or the service stops."""
    commit_interval: float = 0.3
    relay_poll: float = 1.0
    """How often the relay looks without having been notified, and tries to become the active one."""
    unroutable_retry: float = 5.0
    """How long at most rows of an absent or forbidden topic wait before they are tried again."""
    frozen: float = 30.0
    """A relay that gave no sign for so long is taken for frozen, and another one takes over."""
    broken: float = 30.0
    """A consumer that fails at every poll for so long is made anew."""
    stalled: float = 60.0
    """A group whose low watermark stands still for so long over work in hand is not ready, whatever it waits for."""
    metadata_age: float = 2.0
    """How often topics are listed anew: a new team's inbox is heard within this and a join."""
    session: float = 12.0
    """A member that died is missed for so long while nobody reads its partitions. Four heartbeats have to fail, so an
    event loop that stands still for less than nine seconds loses nothing; a member taken for dead by mistake costs a
    rebalance and repeated work, never a repeated effect."""
    heartbeat: float = 3.0
    replay_lease: float = 15.0
    """An instance that works on a replay and gave no sign for so long is taken for dead, and another one goes on."""
    inbox_days: float = 45.0


def backoff(first: float, cap: float) -> Iterator[float]:
    """Endless waits, doubling from *first* to *cap*, each drawn from its upper half so that many are out of step."""
    wait = first
    while True:
        yield random.uniform(wait / 2, wait)  # noqa: S311 - jitter is no secret
        wait = min(cap, wait * 2)
