"""The twin in memory keeps the promises of the bus."""

from collections.abc import Callable

import pytest
from outrider_bus.handling.again import Outcome
from outrider_bus.memory.bus import MemoryBus
from outrider_bus.records import OutboxRow, RawHeaders
from outrider_contracts.event import Event
from outrider_contracts.tenants import AuditRecorded

from tests.unit.bus.promises import BusPromises, Letter, World


class MemoryWorld:
    """A memory bus; its input topic is where runs are told of."""

    topic = "outrider.airflow.v1"
    team = "ads"
    group = "test"

    def __init__(self) -> None:
        self.bus = MemoryBus(service="test")

    async def start(self, *, gives_up: bool = True) -> None:  # time passes only by `until`
        await self.bus.start()

    async def stop(self) -> None:
        await self.bus.stop()

    async def deliver(self, *events: Event, traceparent: str = "") -> None:
        await self.bus.deliver(*events, traceparent=traceparent)

    async def deliver_raw(self, value: bytes | None, *, key: bytes | None = None, headers: RawHeaders = ()) -> None:
        await self.bus.deliver_raw(self.topic, value, key=key, headers=headers)

    async def settle(self) -> None:
        assert self.bus.waiting == 0

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(100):
            if true():
                break
            await self.bus.retry_parked()
            await self.bus.go_on()
        await self.bus.go_on()

        assert true()

    async def redeliver(self) -> None:
        await self.bus.redeliver()

    async def handle_again(self, *, scope: str) -> list[Outcome]:
        return [await self.bus.handle_again(self.group, r, scope=scope) for r in self.bus.log]

    async def answers(self) -> list[Letter]:
        return _letters(self.bus.records(AuditRecorded.topic))

    async def records_of(self, topic: str) -> list[Letter]:
        return _letters(self.bus.records(topic))

    async def dead_letters(self) -> list[Letter]:
        return _letters(self.bus.dead_letters)


def _letters(rows: list[OutboxRow]) -> list[Letter]:
    return [Letter(row.key, row.value, row.headers) for row in rows]


@pytest.fixture
def world() -> World:
    return MemoryWorld()


class TestMemoryBus(BusPromises):
    """In memory."""

    patience_seconds = 0.01

    @pytest.mark.xfail(strict=True, reason="the twin runs one handler after the other")
    async def test_lanes_run_side_by_side(self, world: World) -> None:
        await super().test_lanes_run_side_by_side(world)
