"""When a team is looked at again."""

from datetime import datetime, timedelta

_AWAY_CAP = timedelta(seconds=15)
_FAILED_CAP = timedelta(minutes=5)
RELOAD_POLL = timedelta(seconds=1)


def retry_at(now: datetime, attempts: int, chance: float, *, away: bool) -> datetime:
    """After a failure: 1 s doubling to 15 s where a system is *away*, to 5 min where it said no.

    *chance* in [0, 1) draws from the upper half, so that teams don't come back together.
    """
    longest = min(_AWAY_CAP if away else _FAILED_CAP, timedelta(seconds=2 ** min(attempts, 9)))
    return now + longest * (0.5 + chance / 2)


def resync_at(now: datetime, every: timedelta, chance: float) -> datetime:
    """The next full look at a team where all is well, spread by ±20 % so that teams don't come due together."""
    return now + every * (0.8 + 0.4 * chance)
