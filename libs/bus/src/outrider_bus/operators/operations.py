"""What operators do by hand with a service's parked lanes and its outbox. Every act is audited where it is done."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from outrider_contracts.envelope import UndecodableError
from outrider_contracts.names import PLATFORM
from outrider_contracts.tenants import AuditRecorded
from outrider_contracts.topics import team_concerned

from outrider_bus import inbox
from outrider_bus.database import PostgresDatabase
from outrider_bus.deadletters import Why, dead_letter
from outrider_bus.groups import Group
from outrider_bus.handling import parking
from outrider_bus.ports import Connection
from outrider_bus.records import RawRecord, read
from outrider_bus.saying import outbox


@dataclass(frozen=True)
class Act:
    """Who acts, and why."""

    actor: str
    reason: str

    def audit(
        self, action: str, resource: str, team: str, *, outcome: Literal["done", "refused", "failed"] = "done",
        detail: str = "", because: str = "",
    ) -> AuditRecorded:  # fmt: skip
        """The fact for the audit trail."""
        told = ": ".join(part for part in (self.reason, detail) if part)
        return AuditRecorded(
            team=team, actor=self.actor, action=action, resource=resource, outcome=outcome, detail=told,
            because=because or "http", at=datetime.now(UTC),
        )  # fmt: skip


def team_of(topic: str, key: bytes | None) -> str:
    """The team a record concerns; the platform where it names none."""
    return team_concerned(topic, key) or PLATFORM


class Operations:
    """Of one service. Safe beside its runners, also those of other replicas: the inbox says who was first."""

    def __init__(self, groups: Mapping[str, Group], database: PostgresDatabase, *, dead_letters: str) -> None:
        self._groups = groups
        self._database = database
        self._dead_letters = dead_letters

    async def sick(self) -> list[parking.SickLane]:
        """Every sick lane, the longest parked first."""
        async with self._database.begin() as tx:
            return await parking.sick(tx.connection)

    async def retry(self, lanes: Sequence[parking.SickLane], act: Act) -> None:
        """Have each lane try its first record now; its runner sees it within a second or so."""
        async with self._database.begin() as tx:
            for lane in lanes:
                await parking.hurry(tx.connection, lane.group, lane.lane)
                await tx.say(_of_lane(act, "bus.parked.retry", lane))

    async def give_up(self, lane: parking.SickLane, act: Act) -> bool:
        """Put the lane's first record with the dead letters now; False where its runner was first and is done with it.

        A handler that runs meanwhile finds the inbox row and keeps nothing; what it did outside stays.
        """
        async with self._database.begin() as tx:
            record = await parking.record(tx.connection, lane.seq)
            if record is None or not await self._take(tx.connection, lane.group, record):
                return False
            await parking.remove(tx.connection, lane.seq)  # after the inbox, as the runners do: nobody waits crosswise
            why = Why("handle", f"given up by {act.actor}: {act.reason}; last error: {lane.reason}", lane.attempts)
            tx.put(dead_letter(record, why, topic=self._dead_letters, group=lane.group))
            await tx.say(_of_lane(act, "bus.parked.give-up", lane))
        if group := self._groups.get(lane.group):
            group.counters.given_up(record, why)
        return True

    async def waiting(self) -> list[tuple[str, int, float]]:
        """Per topic: rows on their way to Kafka, and the age of the oldest in seconds."""
        async with self._database.begin() as tx:
            return await outbox.waiting(tx.connection)

    async def stuck(self) -> list[outbox.Stuck]:
        """The oldest rows that Kafka does not take, 1,000 at most."""
        async with self._database.begin() as tx:
            return await outbox.stuck(tx.connection)

    async def release(self, seqs: Sequence[int], act: Act, *, discard: bool) -> int:
        """Carry rows that were set aside once more, or drop them for good; gives how many were there."""
        async with self._database.begin() as tx:
            rows = await outbox.release(tx.connection, seqs, discard=discard)
            action = "bus.outbox.discard" if discard else "bus.outbox.retry"
            for row in rows:
                await tx.say(act.audit(action, f"{row['topic']}#{row['id']}", team_of(row["topic"], row["key"])))
            return len(rows)

    async def _take(self, connection: Connection, group: str, record: RawRecord) -> bool:
        heard = None
        with suppress(UndecodableError, KeyError):  # a group that this version has no more
            heard = read(record, self._groups[group].decoder)
        return bool(await inbox.take(connection, group, [inbox.key(record, heard)]))


def _of_lane(act: Act, action: str, lane: parking.SickLane) -> AuditRecorded:
    team = team_of(lane.origin.split("/", 1)[0], lane.key)
    return act.audit(action, f"{lane.group}/{lane.lane}", team, because=lane.origin)
