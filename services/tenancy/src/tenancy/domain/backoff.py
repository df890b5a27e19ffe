"""When a team is looked at again."""

from datetime import datetime, timedelta

_CAP = timedelta(minutes=5)
RELOAD_POLL = timedelta(seconds=1)


def retry_at(now: datetime, attempts: int, chance: float) -> datetime:
    """After a failure: 1 s doubling to 5 min; *chance* in [0, 1) draws from the upper half."""
    longest = min(_CAP, timedelta(seconds=2 ** min(attempts, 9)))
    return now + longest * (0.5 + chance / 2)


def resync_at(now: datetime, every: timedelta, chance: float) -> datetime:
    """The next full look at a team where all is well, spread by ±20 % so that teams don't come due together."""
    return now + every * (0.8 + 0.4 * chance)
