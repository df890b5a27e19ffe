"""The work of the fault tests: each effect shows if it was lost, repeated or out of order.

A row per key holds a count and a chain of hashes over the ids in the order in which they were worked off.
"""

import hashlib
from collections.abc import Iterable, Sequence

from outrider_bus.memory import MemoryBus
from outrider_bus.ports import Begin, Heard, Hearing, LaneHandler, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from tests.unit.bus.promises import AT, Letter, answer

TABLE = "DROP TABLE IF EXISTS chain; CREATE TABLE chain (key text PRIMARY KEY, links int NOT NULL, hash text NOT NULL)"
_LINK = """
INSERT INTO chain AS c VALUES ($1, 1, md5($2))
ON CONFLICT (key) DO UPDATE SET links = c.links + 1, hash = md5(c.hash || $2)
"""
Chains = dict[str, tuple[int, str]]


def facts(team: str, count: int, *, keys: int = 20) -> list[RunFinished]:
    """*count* facts over *keys* runs."""
    runs = [RunKey(team=team, dag_id="daily", run_id=f"r{n}") for n in range(keys)]
    return [
        RunFinished(run=runs[n % keys], run_started_at=AT, state="success", finished_at=AT.replace(microsecond=n))
        for n in range(count)
    ]


def chains(heard: Iterable[RunFinished]) -> Chains:
    """What an undisturbed run leaves in the table."""
    result: Chains = {}
    for fact in heard:
        links, so_far = result.get(fact.key(), (0, ""))
        result[fact.key()] = links + 1, hashlib.md5((so_far + fact.id).encode(), usedforsecurity=False).hexdigest()
    return result


async def answers_undisturbed(heard: Sequence[RunFinished]) -> set[tuple[str, bytes | None]]:
    """What an undisturbed run says: (id, content)."""
    bus = MemoryBus()

    async def only_answer(fact: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await tx.say(answer(fact))

    handlers: dict[type[Event], LaneHandler] = {RunFinished: only_answer}
    bus.lanes(group="g", topics=[RunFinished.topic], handlers=handlers, lane=lambda e: e.key())
    await bus.deliver(*heard)
    return {(row.id, row.value) for row in bus.database.rows}


def answers_in(letters: Iterable[Letter]) -> set[tuple[str, bytes | None]]:
    """The same of what lies in Kafka, where a record may lie twice."""
    return {(letter.header("ce_id"), letter.value) for letter in letters}


async def work(heard: Heard[Event], tx: Tx) -> None:
    """Add a link and answer."""
    await tx.connection.execute(_LINK, heard.event.key(), heard.envelope.id)
    await tx.say(answer(heard), cause=heard)


def declare(bus: Hearing, how: str, *, group: str, topic: str) -> None:
    """Hear the topic either way."""

    async def in_lane(heard: Heard[Event], begin: Begin) -> None:
        async with begin() as tx:
            await work(heard, tx)

    async def in_batch(batch: Sequence[Heard[Event]], tx: Tx) -> None:
        for heard in batch:
            await work(heard, tx)

    if how == "lanes":
        handlers: dict[type[Event], LaneHandler] = {RunFinished: in_lane}
        bus.lanes(group=group, topics=[topic], handlers=handlers, lane=lambda event: event.key())
    else:
        bus.batches(group=group, topics=[topic], types=[RunFinished], handler=in_batch, max_records=50)
