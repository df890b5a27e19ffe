"""What concerns the service as a whole: which database this is, whether it is frozen, who waits since when."""

import uuid
from datetime import datetime, timedelta

from outrider_contracts.holdings import Frozen

from storage.records.codec import Connection


async def begin_start(connection: Connection, now: datetime) -> tuple[str, int]:
    """Count a start of the service; returns the database's identity and the number of the start."""
    row = await connection.fetchrow(
        "INSERT INTO storage.control AS known (identity, starts, changed_at) VALUES ($1, 1, $2) "
        "ON CONFLICT (singleton) DO UPDATE SET starts = known.starts + 1 RETURNING identity, starts",
        uuid.uuid4().hex, now,
    )  # fmt: skip
    assert row is not None
    return row["identity"], row["starts"]


async def frozen(connection: Connection) -> Frozen:
    """Whether anything may be destroyed."""
    row = await connection.fetchrow("SELECT frozen, reason, changed_by, changed_at FROM storage.control")
    if row is None:
        return Frozen(frozen=True, reason="the service has not started on this database yet")
    return Frozen(frozen=row["frozen"], reason=row["reason"], by=row["changed_by"], since=row["changed_at"])


async def freeze(connection: Connection, *, frozen: bool, reason: str, by: str, now: datetime) -> None:
    """Stop every removal, or allow removals again."""
    await connection.execute(
        "UPDATE storage.control SET frozen = $1, reason = $2, changed_by = $3, changed_at = $4", frozen, reason, by, now
    )


async def waited(connection: Connection, subject: str, now: datetime) -> timedelta:
    """For how long *subject* has been waited for; the first asking begins the wait."""
    since: datetime = await connection.fetchval(
        "INSERT INTO storage.waits AS known (subject, since) VALUES ($1, $2) "
        "ON CONFLICT (subject) DO UPDATE SET since = known.since RETURNING since",
        subject, now,
    )  # fmt: skip
    return now - since


async def forget_waits(connection: Connection, before: datetime) -> None:
    """Whoever asks again after so long waits anew."""
    await connection.execute("DELETE FROM storage.waits WHERE since < $1", before)


async def identity(connection: Connection) -> tuple[str, int]:
    """The database's identity and the number of its last start."""
    row = await connection.fetchrow("SELECT identity, starts FROM storage.control")
    assert row is not None
    return row["identity"], row["starts"]
