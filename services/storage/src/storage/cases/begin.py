"""Beginning to work on a database: noticing one that was restored, or that is not the one that filled the store."""

import structlog

from storage.cases.work import Work
from storage.records import control

_log = structlog.stdlib.get_logger(__name__)


async def begin(work: Work) -> bool:
    """Count this start, in the database and beside the data; freeze where the two disagree. False if frozen by it.

    The store's marker names the database that used it last and how often that had been started. Another identity, or
    a count beyond ours, means that this database is new, foreign or an old copy: what it thinks is due may be in use.
    """
    async with work.database.begin() as tx:
        identity, starts = await control.begin_start(tx.connection, work.clock())
    kept = await work.store.marker.read()
    if kept is None or (kept[0] == identity and kept[1] < starts):
        await work.store.marker.write(identity, starts)
        return True
    why = "an older copy of the one" if kept[0] == identity else "not the one"
    reason = f"this database is {why} that used the store last (start {kept[1]}, here {starts})"
    async with work.database.begin() as tx:
        await control.freeze(tx.connection, frozen=True, reason=reason, by="storage", now=work.clock())
    _log.error("storage is frozen", reason=reason, fix="check the database, then outrider storage unfreeze")
    return False
