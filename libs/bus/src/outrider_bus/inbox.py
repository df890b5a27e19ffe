"""The inbox: which records a group has worked off. Asking and writing are one statement: two workers can't both win."""

from collections.abc import Collection
from datetime import timedelta

from outrider_contracts.event import Event

from outrider_bus.ports import Connection, Heard
from outrider_bus.records import RawRecord

_TAKE = """
INSERT INTO bus.inbox (group_id, topic, event_id)
SELECT DISTINCT $1, r.topic, r.event_id
FROM unnest($2::text[], $3::text[]) AS r (topic, event_id)
ORDER BY r.topic, r.event_id  -- one order for all, so that two batches never wait for each other crosswise
ON CONFLICT DO NOTHING
RETURNING topic, event_id
"""
UNKNOWN = """
SELECT r.event_id FROM unnest($3::text[]) AS r (event_id)
WHERE NOT EXISTS (SELECT FROM bus.inbox AS i WHERE (i.group_id, i.topic, i.event_id) = ($1, $2, r.event_id))
"""
"""Those of the ids (group, topic, ids) that are not entered."""
_DROP = "DELETE FROM bus.inbox WHERE (group_id, topic, event_id) = ($1, $2, $3)"
_FORGET = """
WITH gone AS (
    DELETE FROM bus.inbox WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM bus.inbox WHERE heard_at < now() - $1::interval LIMIT 10000))
    RETURNING 1
) SELECT count(*) = 10000 FROM gone
"""


class AlreadyDone(Exception):
    """The inbox knows this record: there is nothing to do."""


def key_of(heard: Heard[Event]) -> tuple[str, str]:
    """A fact's entry: its topic and id."""
    return (heard.origin.topic, heard.envelope.id)


def place(record: RawRecord) -> str:
    """What stands for the id of a record that can't be read. A topic that was made anew begins anew with its offsets,
    but not in time."""
    return f"@{record.partition}/{record.offset}@{round(record.timestamp.timestamp() * 1000)}"


def key(record: RawRecord, heard: Heard[Event] | None) -> tuple[str, str]:
    """A record's entry: its fact's; its place where it can't be read."""
    return key_of(heard) if heard else (record.topic, place(record))


async def take(connection: Connection, group: str, keys: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Enter (topic, id) pairs; gives those that are new. Undone with the transaction."""
    if not keys:
        return set()
    topics, ids = zip(*keys, strict=True)
    rows = await connection.fetch(_TAKE, group, list(topics), list(ids))
    if len(rows) == len(keys):  # nearly always
        return set(keys)
    return {(row["topic"], row["event_id"]) for row in rows}


async def drop(connection: Connection, group: str, key: tuple[str, str]) -> None:
    """Take one entry out: its record is to be handled once more."""
    await connection.execute(_DROP, group, *key)


async def forget(connection: Connection, days: float) -> bool:
    """Drop a portion of the entries older than any record or dead letter can be; True where there may be more."""
    return bool(await connection.fetchval(_FORGET, timedelta(days=days)))
