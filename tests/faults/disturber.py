"""Carries a schedule out on running processes: kills them, freezes them, makes them slow, brings them back."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from outrider_local.component import Component
from outrider_local.errors import StackError
from outrider_local.stack import Stack

from tests.faults.schedule import Disturbance

_BEAT_SECONDS = 0.15


class Target(Protocol):
    """What can be disturbed."""

    def send(self, sign: int) -> None:
        """A signal to all of its processes."""

    async def come_back(self) -> None:
        """Have it run again after it was killed or told to leave. What does not succeed now is done at the end."""


class StackProcess:
    """A process of the stack, with its children."""

    def __init__(self, stack: Stack, component: Component) -> None:
        self._stack = stack
        self._component = component

    def send(self, sign: int) -> None:
        pids = self._stack.processes.members(self._component.name)
        main = self._stack.processes.pid(self._component.name)
        if sign == signal.SIGTERM:  # politely, in its own way
            record = self._stack.state.now.processes.get(self._component.name)
            sign, pids = (record.stop_signal if record else sign), frozenset({main} if main else ())
        for pid in sorted(pids, key=lambda pid: pid != main):
            with suppress(ProcessLookupError):
                os.kill(pid, sign)

    async def come_back(self) -> None:
        with suppress(StackError):  # it may need another one that is away now, too
            await asyncio.to_thread(self._component.start, self._stack)


async def disturb(plan: Sequence[Disturbance], targets: Mapping[str, Target]) -> None:
    """Each at its time; returns when all are over and everything has been brought back."""
    began = asyncio.get_running_loop().time()

    async def one(disturbance: Disturbance) -> None:
        await asyncio.sleep(began + disturbance.at - asyncio.get_running_loop().time())
        print(disturbance, flush=True)
        await _carry_out(disturbance, targets[disturbance.target])

    busy = {name: asyncio.Lock() for name in targets}  # what takes long to come back is not disturbed meanwhile

    async def in_turn(disturbance: Disturbance) -> None:
        async with busy[disturbance.target]:
            await one(disturbance)

    await asyncio.gather(*map(in_turn, plan))


async def _carry_out(disturbance: Disturbance, target: Target) -> None:
    if disturbance.act == "freeze":
        target.send(signal.SIGSTOP)
        await asyncio.sleep(disturbance.seconds)
        target.send(signal.SIGCONT)
    elif disturbance.act == "slow":  # at work half of the time
        for _ in range(int(disturbance.seconds / _BEAT_SECONDS / 2)):
            target.send(signal.SIGSTOP)
            await asyncio.sleep(_BEAT_SECONDS)
            target.send(signal.SIGCONT)
            await asyncio.sleep(_BEAT_SECONDS)
    else:
        target.send(signal.SIGKILL if disturbance.act == "kill" else signal.SIGTERM)
        await asyncio.sleep(disturbance.seconds)
        await target.come_back()
