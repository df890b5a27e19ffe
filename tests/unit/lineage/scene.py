"""The recorder on memory, and what it says."""

from datetime import timedelta

from lineage.adapters.memory import MemoryRecord
from lineage.domain.names import Names
from lineage.domain.openlineage import Speaker
from lineage.handlers import Recorder
from outrider_contracts.event import Event
from outrider_contracts.tenants import Acceptance, TeamStatus

from tests.unit.lineage.bus import WrittenTx, heard


class NoTeams:
    """Nobody is onboarded."""

    async def get(self, team: str) -> TeamStatus | None:
        return None

    async def readable(self, team: str) -> tuple[Acceptance, ...]:
        return ()


class Scene:
    """A recorder on memory, and what it said."""

    def __init__(self) -> None:
        self.record, self.tx = MemoryRecord(), WrittenTx()
        speaker = Speaker(Names("airflow://test"), "3.3", "0.1.0")
        self.recorder = Recorder(speaker, NoTeams(), lambda _: self.record, timedelta(seconds=60))

    async def hear(self, *events: Event) -> list[str]:
        """Types of the task events said so far."""
        await self.recorder.keep(heard(*events), self.tx)
        return self.types

    async def wait(self) -> list[str]:
        """The same after the wait for seals is over."""
        self.record.waits_are_over = True
        await self.recorder.settle(self.tx)
        return self.types

    @property
    def types(self) -> list[str]:
        return [event["eventType"] for event in self.tx.said()]
