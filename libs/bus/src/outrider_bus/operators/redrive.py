"""Dead letters that a person deals with: handled once more, or put away for good. What became of each is kept.

Killed at any point, a letter is never handled twice: its inbox row, which made it a dead letter, goes when the first
redrive begins; from then on the row is there only if a redrive was kept, or after a failure was put on record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider_contracts.envelope import UndecodableError
from outrider_contracts.tenants import AuditRecorded

from outrider_bus import inbox
from outrider_bus.database import PostgresDatabase
from outrider_bus.deadletters import Letter
from outrider_bus.groups import Group
from outrider_bus.handling import again
from outrider_bus.handling.again import Outcome
from outrider_bus.kafka import KafkaAddress
from outrider_bus.operators.letters import LetterReader, Place
from outrider_bus.operators.operations import Act, team_of
from outrider_bus.ports import Connection
from outrider_bus.records import read

MOST_REDRIVES = 3
_CLAIM = """
INSERT INTO bus.dead_letters AS d (partition, "offset", state, redrives, busy_until, actor, reason)
VALUES ($1, $2, 'trying', 1, now() + interval '5 minutes', $3, $4)
ON CONFLICT (partition, "offset") DO UPDATE SET state = 'trying', redrives = d.redrives + 1, actor = excluded.actor,
    reason = excluded.reason, busy_until = excluded.busy_until, changed_at = now()
"""
_SETTLE = """
INSERT INTO bus.dead_letters AS d (partition, "offset", state, outcome, actor, reason)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (partition, "offset") DO UPDATE SET state = excluded.state, outcome = excluded.outcome,
    actor = excluded.actor, reason = excluded.reason, busy_until = NULL, changed_at = now()
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(format('outrider_bus.letter %s/%s', $1::int, $2::bigint), 0))"
_REST = 'UPDATE bus.dead_letters SET busy_until = NULL WHERE (partition, "offset") = ($1, $2)'
_COLUMNS = 'partition, "offset", state, outcome, redrives, actor, reason, changed_at, busy_until > now() AS busy'
_ALL = f'SELECT {_COLUMNS} FROM bus.dead_letters ORDER BY partition, "offset"'  # noqa: S608 - nothing from outside
_ONE = f'SELECT {_COLUMNS} FROM bus.dead_letters WHERE (partition, "offset") = ($1, $2)'  # noqa: S608


@dataclass(frozen=True)
class Settled:
    """What people did with one letter so far. `failed` ones are open still, and so is one whose redrive was cut off."""

    partition: int
    offset: int
    state: str
    outcome: str
    redrives: int
    actor: str
    reason: str
    changed_at: datetime
    busy: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in ("trying", "failed")


class DeadLetters:
    """Of one service. Two people who act on one letter at a time are told apart by its row."""

    def __init__(
        self, groups: Mapping[str, Group], database: PostgresDatabase, kafka: KafkaAddress, *, topic: str
    ) -> None:
        self._groups = groups
        self._database = database
        self.topic = topic
        self._reader = LetterReader(kafka, topic=topic, groups=groups)

    async def settled(self) -> list[Settled]:
        """Every letter somebody has acted on."""
        async with self._database.begin() as tx:
            return [Settled(*row) for row in await tx.connection.fetch(_ALL)]

    async def plan(self, places: Sequence[Place], *, first: bool = False) -> dict[Place, Outcome]:
        """What handling each letter again would come to as far as reading it tells: `done` stands for "is handled"."""
        planned = {}
        for place, letter in (await self._reader.read(places)).items():
            planned[place] = letter if isinstance(letter, Outcome) else self._judge(letter, first=first)
        return planned

    async def redrive(
        self, places: Sequence[Place], act: Act, *, first: bool = False, force: bool = False
    ) -> dict[Place, Outcome]:
        """Handle letters again, one after the other, each as its group would have.

        `first` has also those types handled that a group never handles again: then it is as if Kafka gave the record
        for the first time. `force` allows more than MOST_REDRIVES tries. Raises UnavailableError; what was begun is
        finished by the next call.
        """
        outcomes = {}
        for place, letter in (await self._reader.read(places)).items():
            outcomes[place] = (
                letter if isinstance(letter, Outcome) else await self._again(place, letter, act, first, force)
            )
        return outcomes

    async def discard(self, places: Sequence[Place], act: Act) -> dict[Place, Outcome]:
        """Put letters away for good: nothing is handled, the record stays in the log until its time is over."""
        outcomes = {}
        for place, letter in (await self._reader.read(places)).items():
            outcomes[place] = letter if isinstance(letter, Outcome) else await self._discard(place, letter, act)
        return outcomes

    async def _again(self, place: Place, letter: Letter, act: Act, first: bool, force: bool) -> Outcome:
        judged = self._judge(letter, first=first)
        if judged.kind == "left_out":
            return judged
        if no := await self._claim(place, letter, act, force=force):
            return no
        group, scope = self._groups[letter.group], letter.group
        try:
            outcome = await again.handle_again(group, letter.record, self._database, scope=scope, first=first)
        except BaseException:
            async with self._database.begin() as tx:
                await tx.connection.execute(_REST, *place)
            raise
        async with self._database.begin() as tx:
            kept = outcome.kind != "failed"
            if not kept and (key := self._key(letter)):
                await inbox.take(tx.connection, letter.group, [key])
            said = f"{outcome.kind} {outcome.reason}".strip().replace("\0", "\\0")
            state = "redriven" if kept else "failed"
            await tx.connection.execute(_SETTLE, *place, state, said, act.actor, act.reason)
            await tx.say(self._audit(act, "redrive", place, letter, outcome="done" if kept else "failed", detail=said))
        return outcome

    async def _claim(self, place: Place, letter: Letter, act: Act, *, force: bool) -> Outcome | None:
        """Enter the try; with it goes the inbox row that the dead letter left. Gives why it may not be tried."""
        async with self._database.begin() as tx:
            known = await self._known(tx.connection, place)
            if known and (no := _why_not(known)):
                return Outcome("refused", no)
            if known and known.redrives >= MOST_REDRIVES and not force:
                return Outcome("refused", f"it failed {known.redrives} times; once more only with force: true")
            if (not known or known.state != "trying") and (key := self._key(letter)):
                await inbox.drop(tx.connection, letter.group, key)
            await tx.connection.execute(_CLAIM, *place, act.actor, act.reason)
        return None

    async def _discard(self, place: Place, letter: Letter, act: Act) -> Outcome:
        async with self._database.begin() as tx:
            known = await self._known(tx.connection, place)
            if known and (no := _why_not(known)):
                return Outcome("refused", no)
            key = self._key(letter) if known and known.state == "trying" else None
            if key and not await inbox.take(tx.connection, letter.group, [key]):
                return Outcome("refused", "a redrive that was cut off has handled it; redrive it to put that on record")
            await tx.connection.execute(_SETTLE, *place, "discarded", "", act.actor, act.reason)
            await tx.say(self._audit(act, "discard", place, letter))
        return again.DONE

    async def _known(self, connection: Connection, place: Place) -> Settled | None:
        """What was done with a letter; nobody else acts on it until the transaction ends."""
        await connection.execute(_LOCK, *place)
        row = await connection.fetchrow(_ONE, *place)
        return Settled(*row) if row else None

    def _judge(self, letter: Letter, *, first: bool) -> Outcome:
        group = self._groups[letter.group]
        judged = again.judge(letter.record, group.decoder, group.types, group.never_again, first=first)
        return judged if isinstance(judged, Outcome) else again.DONE

    def _key(self, letter: Letter) -> tuple[str, str] | None:
        """The inbox row that is the letter's own: that of the fact, where it was its handling that failed.

        What could not be read had a row of its place; under the fact's id there may be somebody else's telling of it.
        """
        if letter.why.stage != "handle":
            return None
        try:
            heard = read(letter.record, self._groups[letter.group].decoder)
        except UndecodableError:
            heard = None
        return inbox.key(letter.record, heard)

    def _audit(self, act: Act, what: str, place: Place, letter: Letter, **told: Any) -> AuditRecorded:
        resource = f"{self.topic}/{place[0]}/{place[1]}"
        team, because = team_of(letter.record.topic, letter.record.key), str(letter.record.origin)
        return act.audit(f"bus.dead-letter.{what}", resource, team, because=because, **told)


def _why_not(known: Settled) -> str:
    if not known.is_open:
        return f"it was {known.state} by {known.actor} at {known.changed_at:%Y-%m-%d %H:%M:%S}: {known.reason}"
    return f"{known.actor} redrives it just now" if known.busy else ""
