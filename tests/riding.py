"""The whole stack, once per run and only when asked for, with short windows; two teams ride it, in pods as root."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from outrider_cli.demo.ride import DEMO, FAST_CLEARING, Ride
from outrider_local import prerequisites
from outrider_local.components import EXTRAS, all_components, prerequisites_of, usual_components
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

from tests.otlp import Collector

DAGS = Path(__file__).parent / "e2e" / "dags"


@dataclass(frozen=True)
class Flown:
    """Ids of the two runs every test may look at."""

    flights: str
    punctuality: str


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the services of the ridden stack send their spans."""
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def ride(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Ride]:
    """A person at a stack of its own with the demo's two teams on board."""
    os.environ.update(FAST_CLEARING)
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    stack = Stack.open(tmp_path_factory.mktemp("e2e") / "home")
    extras = EXTRAS["kubernetes"] if os.geteuid() == 0 or os.environ.get("CI") else ()
    components = with_needs([*(one.name for one in usual_components(stack)), *extras], all_components())
    try:
        prerequisites.ensure(prerequisites_of(stack, components), print)
        outcome = bring_up(stack, components)
        assert not outcome.failed, outcome.failed
        person = Ride(stack)
        person.onboard(DEMO / "teams")
        person.deliver_demo()
        for dag in ("slow.py", "broken.py", *(("pods.py",) if extras else ())):
            shutil.copy2(DAGS / dag, stack.layout.bundles / "ops")
        yield person
        person.airflow.close()
    finally:
        if not os.environ.get("OUTRIDER_KEEP"):
            remove(stack, components)


@pytest.fixture(scope="session")
def flown(ride: Ride) -> Flown:
    """Both teams' DAGs, ridden to their end."""
    flights = ride.start("flights")
    assert ride.await_run("flights", flights) == "success"
    punctuality = ride.start("punctuality")
    assert ride.await_run("punctuality", punctuality) == "success"
    return Flown(flights, punctuality)
