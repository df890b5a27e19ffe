"""The steps of the protocol at which a worker can be killed or frozen, found where the bus meets its clients.

Nothing in the bus knows of this: a worker process is given database sessions and Kafka clients that note each passage.
"""

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiokafka
import asyncpg

# what a statement does to the protocol; the first that matches counts
_STATEMENTS = {
    "begin": r"^BEGIN",
    "commit": r"^COMMIT",
    "rollback": r"^ROLLBACK",
    "session": r"^(LISTEN|UNLISTEN|SELECT pg_advisory_unlock_all|SELECT pg_terminate_backend|WITH gone AS)",
    "replay": r"bus\.replays",
    "inbox": r"INSERT INTO bus\.inbox",
    "outbox": r"INSERT INTO bus\.outbox",
    "effect": r"INSERT INTO chain",
    "outside effect": r"INSERT INTO outside",
    "park": r"INSERT INTO bus\.parked",
    "fail again": r"UPDATE bus\.parked",
    "unpark": r"DELETE FROM bus\.parked",
    "read parked": r"FROM bus\.parked",
    "relay locks": r"pg_try_advisory_lock",
    "relay deletes": r"DELETE FROM bus\.outbox",
    "relay reads": r"FROM bus\.outbox",
}
_PARTS_OF_A_RECORD = {"inbox", "park", "fail again", "unpark"}

BOTH = (
    "read", "begin", "inbox", "effect", "outbox", "commit", "kafka commit",
    "read parked", "park", "fail again", "unpark",
    "relay locks", "relay reads", "relay sends", "relay deletes",
)  # fmt: skip
"""Acts of either runner. Between "relay sends" and "relay deletes" Kafka acknowledges."""
LANES = ("outside effect",)
"""Acts of lanes alone: outside effects come first."""
IDLE = {"session", "rollback", "other commit", "replay"}
"""Acts that change nothing of what was promised. (A worker looks for replays to do; there are none here.)"""


def steps(how: str) -> list[tuple[str, str]]:
    """Every (when, act) of a runner."""
    acts = BOTH + (LANES if how == "lanes" else ())
    return [(when, act) for act in acts for when in ("before", "after")]


@dataclass
class Passages:
    """Counts passages, tells them, and strikes its own process at the planned one."""

    pipe: Any = None
    when: str = ""
    act: str = ""
    nth: int = 1
    sign: int = signal.SIGKILL
    seen: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def through(self, act: str) -> AsyncIterator[None]:
        """Before and after *act*."""
        if act not in self.seen:
            self.seen.add(act)
            self.tell("act", act)
        self._pass("before", act)
        yield
        self._pass("after", act)

    def _pass(self, when: str, act: str) -> None:
        if (when, act) != (self.when, self.act):
            return
        self.nth -= 1
        if self.nth == 0:
            self.tell("struck", f"{when} {act}")
            os.kill(os.getpid(), self.sign)

    def tell(self, word: str, what: str = "") -> None:
        """Say something to the test."""
        if self.pipe is not None:
            self.pipe.send_bytes(json.dumps([word, what]).encode())


PASSAGES = Passages()
"""Of this process."""


class SteppedConnection(asyncpg.Connection):
    """A session whose statements are passages. A commit counts as one where a record's work is in it."""

    _record = False

    def _act(self, query: str) -> str:
        act = next((a for a, like in _STATEMENTS.items() if re.search(like, query.lstrip())), f"unknown: {query}")
        if act == "begin":
            self._record = False
        self._record = self._record or act in _PARTS_OF_A_RECORD
        return "other commit" if act == "commit" and not self._record else act

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        async with PASSAGES.through(self._act(query)):
            return str(await super().execute(query, *args, **options))

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        async with PASSAGES.through(self._act(query)):
            return await super().fetch(query, *args, **options)

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        async with PASSAGES.through(self._act(query)):
            return await super().fetchrow(query, *args, **options)

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        async with PASSAGES.through(self._act(query)):
            return await super().fetchval(query, *args, **options)

    async def executemany(self, command: str, args: Any, **options: Any) -> None:
        async with PASSAGES.through(self._act(command)):
            await super().executemany(command, args, **options)


def step_through_kafka() -> None:
    """Make reading, committing and sending of this process passages, too."""
    consumer, producer = aiokafka.AIOKafkaConsumer, aiokafka.AIOKafkaProducer
    getmany, commit, send = consumer.getmany, consumer.commit, producer.send

    async def stepped_getmany(self: Any, *args: Any, **options: Any) -> Any:
        found = await getmany(self, *args, **options)
        if found:
            async with PASSAGES.through("read"):
                pass
        return found

    async def stepped_commit(self: Any, *args: Any) -> None:
        async with PASSAGES.through("kafka commit"):
            await commit(self, *args)

    async def stepped_send(self: Any, *args: Any, **options: Any) -> Any:
        async with PASSAGES.through("relay sends"):
            return await send(self, *args, **options)

    consumer.getmany, consumer.commit, producer.send = stepped_getmany, stepped_commit, stepped_send
