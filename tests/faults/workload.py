"""The work of the fault tests: each effect shows if it was lost, repeated or out of order.

A row per key holds a count and a chain of hashes over the ids in the order in which they were worked off.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from outrider_bus.ports import Begin, Heard, LaneHandler, RefusedError, Tx
from outrider_contracts.airflow import RunFinished
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey

from tests.unit.bus.promises import AT, Hearing, answer

TABLES = """
CREATE TABLE chain (key text PRIMARY KEY, links int NOT NULL, hash text NOT NULL);
CREATE TABLE outside (id text PRIMARY KEY, times int NOT NULL)
"""
_LINK = """
INSERT INTO chain AS c VALUES ($1, 1, md5($2))
ON CONFLICT (key) DO UPDATE SET links = c.links + 1, hash = md5(c.hash || $2)
"""
_OUTSIDE = """
INSERT INTO outside AS o VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET times = o.times + 1 RETURNING times
"""
# what becomes of a fact, told by its clear_number so that its content tells it and nothing else has to
WELL, FALTERS, HOPELESS, REFUSED = range(4)
_WEIGHTS = {"lanes": (92, 3, 2, 3), "batches": (96, 0, 2, 2)}
_TRIES_TO_FALTER = 2
KEYS = 12


def facts(team: str, chance: random.Random, how: str, *, poison: bool = True) -> Iterator[RunFinished | bytes]:
    """Without end: facts of several runs in any order, some said twice, some sick; bytes are no fact at all."""
    said: list[RunFinished] = []
    weights = _WEIGHTS[how] if poison else (1, 0, 0, 0)
    while True:
        draw = chance.random()
        if poison and draw < 0.01:
            yield f"no JSON, {len(said)}".encode()
        elif said and draw < 0.06:
            yield chance.choice(said[-200:])
        else:
            run = RunKey(team=team, dag_id="daily", run_id=f"r{chance.randrange(KEYS)}")
            kind = chance.choices(range(4), weights)[0]
            at = AT + timedelta(milliseconds=len(said))
            said.append(RunFinished(run=run, run_started_at=AT, clear_number=kind, state="success", finished_at=at))
            yield said[-1]


class HopelessError(Exception):
    """What a handler does not survive."""


async def work(heard: Heard[Event], tx: Tx) -> None:
    """Add a link and answer; or refuse, or fail."""
    fact = heard.event
    assert isinstance(fact, RunFinished)
    if fact.clear_number == HOPELESS:
        raise HopelessError(fact.id)
    await tx.say(answer(heard), cause=heard)
    if fact.clear_number == REFUSED:
        raise RefusedError(fact.id)
    await tx.connection.execute(_LINK, fact.key(), fact.id)


def declare(bus: Hearing, how: str, *, group: str, topic: str, pool: Any) -> None:
    """Hear the topic either way. *pool* is the way to what lies outside of the record's transaction."""

    async def in_lane(heard: Heard[Event], begin: Begin) -> None:
        times = await pool.fetchval(_OUTSIDE, heard.envelope.id)
        if heard.event.model_dump()["clear_number"] == FALTERS and times <= _TRIES_TO_FALTER:
            raise RuntimeError("not yet")
        async with begin() as tx:
            await work(heard, tx)

    async def in_batch(batch: Sequence[Heard[Event]], tx: Tx) -> None:
        for heard in batch:
            await work(heard, tx)

    if how == "lanes":
        handlers: dict[type[Event], LaneHandler] = {RunFinished: in_lane}
        bus.lanes(group=group, topics=[topic], handlers=handlers, lane=lambda event: event.key(), concurrency=6)
    else:
        bus.batches(group=group, topics=[topic], types=[RunFinished], handler=in_batch, max_records=25)
