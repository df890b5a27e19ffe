"""A member dies, or freezes and wakes too late, at each step of the protocol: nothing is lost, repeated, reordered."""

import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import suppress

import pytest
from outrider_local.stack import Stack

from tests.faults.members import members
from tests.faults.steps import BOTH, IDLE, LANES, steps
from tests.faults.world import FaultWorld
from tests.integration.bus.real_world import eventually

HOW = pytest.mark.parametrize("how", ["lanes", "batches"])
_AT_ONCE = 5
_PORTION = 30
_PORTIONS = 30
_PATIENCE_SECONDS = 1.0
_ONCE = {"relay locks"}
"""Acts that a member may come by only once."""


@HOW
async def test_the_list_of_steps_is_complete(own_stack: Stack, how: str, seed: str) -> None:
    """A worker that nothing happens to passes the listed acts and no others."""
    async with FaultWorld.on(own_stack, how, seed=seed) as world, members(world.orders) as team:
        worker = await team.start()
        expected = {*BOTH, *(LANES if how == "lanes" else ())}
        for _ in range(_PORTIONS):
            await world.tell(_PORTION)
            await world.settle()
            if worker.told("act") >= expected:
                break
        seen = worker.told("act")
        await worker.end(signal.SIGTERM)
        await world.assert_undisturbed()

    assert seen - IDLE == expected, (seen - IDLE) ^ expected


@HOW
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_member_is_struck_at_every_step(
    own_stack: Stack, how: str, sign: signal.Signals, seed: str, thorough: bool
) -> None:
    """Frozen members wake when others have done their work. A short run takes every step once, one way or the other."""
    drawn = random.Random(f"{seed} {how}")
    chosen = {step: drawn.choice([signal.SIGKILL, signal.SIGSTOP]) for step in steps(how)}
    await _strike(own_stack, how, seed, [s for s in chosen if thorough or chosen[s] == sign], sign)


async def _strike(stack: Stack, how: str, seed: str, at: Sequence[tuple[str, str]], sign: signal.Signals) -> None:
    """Strike at each step, some worlds side by side: most of the time is waiting for a session to run out."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(when: str, act: str) -> str:
        async with room:
            try:
                await _strike_at(stack, how, f"{seed} {when} {act} {sign.name}", when, act, sign)
            except Exception as error:  # noqa: BLE001 - all that fail are told together
                return f"{when} {act}: {type(error).__name__}: {str(error)[:2000]}"
            return ""

    failed = list(filter(None, await asyncio.gather(*(one(*step) for step in at))))
    assert not failed, "\n".join(failed)


async def _strike_at(stack: Stack, how: str, seed: str, when: str, act: str, sign: signal.Signals) -> None:
    nth = 1 if act in _ONCE else random.Random(seed).randint(1, 3)
    async with FaultWorld.on(stack, how, seed=seed) as world, members(world.orders) as team:
        victim = team.begin(when=when, act=act, nth=nth, sign=sign)
        await eventually(lambda: victim.told("hearing") | victim.told("struck"), seconds=90)
        for _ in range(3 * _PORTIONS):  # a portion at a time: acts of a batch come once per portion
            await world.tell(_PORTION)
            with suppress(TimeoutError):
                await eventually(lambda: victim.told("struck"), seconds=_PATIENCE_SECONDS)
                break
        assert victim.told("struck"), f"the step was never reached; told: {victim.words}"
        await team.start()
        await world.tell(_PORTION)
        await world.settle()
        if sign == signal.SIGSTOP:
            victim.send(signal.SIGCONT)
            await world.tell(_PORTION)
            await world.settle()
        await world.assert_undisturbed()
