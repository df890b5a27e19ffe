"""Steps of a removal: doomed, restored, claimed, cleared. Each says whether it was still possible."""

from datetime import datetime, timedelta

from storage.records.codec import Connection
from storage.records.listings import Listed, below


async def set_waiting(connection: Connection, paths: list[str], why: str, now: datetime) -> None:
    """Say why nothing happens with them; others come first next time."""
    await connection.execute(
        "UPDATE storage.versions SET waiting_for = $2, claimed_at = $3 "
        "WHERE path = ANY($1::text[]) AND state IN ('open', 'sealed', 'doomed')",
        paths, why, now,
    )  # fmt: skip


async def doom(connection: Connection, path: str, now: datetime, undo: timedelta) -> Listed | None:
    """Put the version out of reach, unless it is held or no longer due; returns it as it stands then."""
    locked = await connection.fetchval(
        "SELECT path FROM storage.versions WHERE path = $1 AND state IN ('open', 'sealed') AND due_at <= $2 FOR UPDATE",
        path, now,
    )  # fmt: skip
    if locked is None:
        return None
    # a statement of its own, so that it sees holds taken while the row was waited for
    changed = await connection.fetchval(
        "UPDATE storage.versions v SET state = 'doomed', doomed_at = $2, not_before = $3, waiting_for = '', "
        "claimed_at = NULL, epoch = epoch + 1 WHERE path = $1 AND NOT EXISTS (SELECT FROM storage.holds h "
        "WHERE h.path = v.path AND h.released_at IS NULL AND h.expires_at > $2) RETURNING path",
        path, now, now + undo,
    )  # fmt: skip
    return None if changed is None else (await below(connection, now, path))[0]


async def restore(connection: Connection, path: str) -> bool:
    """Take a doomed version back; False where it is not doomed (any more)."""
    changed = await connection.fetchval(
        "UPDATE storage.versions v SET state = CASE WHEN a.state = 'sealed' THEN 'sealed' ELSE 'open' END, "
        "doomed_at = NULL, not_before = NULL, epoch = v.epoch + 1 FROM storage.attempts a "
        "WHERE v.path = $1 AND v.state = 'doomed' AND (a.place, a.generation) = (v.place, v.generation) "
        "RETURNING v.path",
        path,
    )
    return changed is not None


async def claim_removal(connection: Connection, listed: Listed, now: datetime) -> int | None:
    """Begin (or take over) the removal; the epoch to finish it with. None if it was restored or taken meanwhile."""
    epoch: int | None = await connection.fetchval(
        "UPDATE storage.versions SET state = 'clearing', claimed_at = $3, epoch = epoch + 1 "
        "WHERE path = $1 AND epoch = $2 AND state IN ('doomed', 'clearing') RETURNING epoch",
        listed.path, listed.epoch, now,
    )  # fmt: skip
    return epoch


async def set_cleared(connection: Connection, path: str, epoch: int, objects: int, size: int, now: datetime) -> bool:
    """The bytes are gone; False if somebody took the removal over."""
    changed = await connection.fetchval(
        "UPDATE storage.versions SET state = 'cleared', cleared_at = $3, removed_objects = $4, removed_bytes = $5, "
        "due_at = NULL, not_before = NULL, waiting_for = '' "
        "WHERE path = $1 AND epoch = $2 AND state = 'clearing' RETURNING path",
        path, epoch, now, objects, size,
    )  # fmt: skip
    return changed is not None


async def removals_since(connection: Connection, since: datetime) -> int:
    """Removals begun since then."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM storage.versions WHERE state IN ('clearing', 'cleared') AND claimed_at > $1", since
    )
    return found
