"""The whole services under a storm: all of them, Kafka and PostgreSQL die, freeze and leave at random under load."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from outrider_contracts.airflow import TaskFinished
from outrider_local.names import SERVICES

from tests.faults.disturber import StackProcess, Target, disturb
from tests.faults.schedule import SYSTEMS, Disturbance, schedule
from tests.faults.storm_load import Step, load
from tests.faults.storm_riders import Riders
from tests.faults.storm_world import PARTS, SETTINGS, Snapshot, StormWorld

SECONDS = float(os.environ.get("OUTRIDER_FAULT_SECONDS", "20"))
_RUNS_PER_SECOND = 2


async def test_a_storm_changes_neither_tables_nor_what_is_said(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same load on two stacks side by side: on one nothing happens, on the other everything does."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    runs = load(seed, datetime.now(UTC).replace(microsecond=0), int(SECONDS * _RUNS_PER_SECOND))

    async with asyncio.TaskGroup() as rides:
        undisturbed = rides.create_task(_ride(runs, ()))
        disturbed = rides.create_task(_ride(runs, schedule(seed, SECONDS, SERVICES)))
    calm, stormy = undisturbed.result(), disturbed.result()

    assert not (stormy - calm), stormy - calm
    assert not (calm - stormy), calm - stormy
    assert stormy == calm


async def _ride(runs: Sequence[Sequence[Step]], plan: Sequence[Disturbance]) -> Snapshot:
    tries = len({fact.task for steps in runs for fact in steps if isinstance(fact, TaskFinished)})
    async with StormWorld.open() as world, Riders(world.stack) as riders:
        parts = {part.name: part for part in PARTS}
        targets: Mapping[str, Target] = {
            name: StackProcess(world.stack, parts[name]) for name in (*SERVICES, *SYSTEMS)
        }  # fmt: skip
        async with asyncio.TaskGroup() as group:
            storm = group.create_task(disturb(plan, targets))
            for steps in runs:
                group.create_task(riders.ride(steps))
                await asyncio.sleep(1 / _RUNS_PER_SECOND)
            await storm
            await world.stand_up()
        await riders.flush()
        return await world.settle(tries)
