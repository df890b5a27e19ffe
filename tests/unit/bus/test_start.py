"""A bus starts when all of its groups have their partitions, however often one of them can't be had at first."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from outrider_bus import bus as module
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress
from outrider_bus.ports import Heard, Tx
from outrider_bus.timing import Timing
from outrider_contracts.airflow import RunStarted
from outrider_contracts.event import Event


class Shell:
    """FastStream's broker, which says when it was stopped."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    async def connect(self) -> None:
        """Kafka answers."""

    async def stop(self) -> None:
        self._log.append("shell stopped")


class Beside:
    """What runs beside the groups, and has nothing to do here."""

    def start(self) -> None:
        """Nothing is said, nothing is replayed."""


class Joining:
    """A subscription: one that is refused at first, or one that takes longer to join than the other to be refused."""

    def __init__(self, name: str, log: list[str]) -> None:
        self._name = name
        self._log = log
        self.opens = 0

    def declare(self, _shell: Shell) -> None:
        """It reads with that shell's consumer from now on."""

    async def open(self) -> None:
        self.opens += 1
        if self.opens > 1:
            return
        if self._name == "refused":
            raise TopicAuthorizationFailedError("t")
        try:
            await asyncio.Event().wait()
        finally:
            self._log.append(f"{self._name} ended")

    def run(self) -> None:
        self._log.append(f"{self._name} runs")


async def nothing(heard: Sequence[Heard[Event]], tx: Tx) -> None:
    """Nothing is heard."""


async def test_a_start_that_is_given_up_ends_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that still joins when its shell is stopped would be a member of the group that nobody reads with."""
    log: list[str] = []
    monkeypatch.setattr(module, "make_shell", lambda *_, **__: Shell(log))
    bus = Bus(service="s", kafka=KafkaAddress("nowhere"), pool=cast("Any", None), timing=Timing(outage_first=0.001))
    monkeypatch.setattr(bus, "_relay", Beside())
    monkeypatch.setattr(bus, "replays", Beside())
    for name in ("refused", "slow"):
        bus.batches(group=name, topics=["t"], types=[RunStarted], handler=nothing)
        bus._groups[name] = replace(bus._groups[name], subscription=cast("Any", Joining(name, log)))

    await bus.start()

    assert log == ["slow ended", "shell stopped", "refused runs", "slow runs"]
