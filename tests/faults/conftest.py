"""Kafka and PostgreSQL of the fault tests' own: what is killed here must not be missed elsewhere."""

import os
import random
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from outrider_local import prerequisites
from outrider_local.components import all_components
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

NEEDED = with_needs(["postgres", "topics"], all_components())


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Stack]:
    """A stack with nothing on it but a broker and a database server."""
    home = Path(tempfile.mkdtemp(prefix="outrider-test-faults-"))
    home.chmod(0o755)
    stack = Stack.open(home)
    prerequisites.ensure(prerequisites.of_kafka(stack.layout), print)
    with stack.exclusively():
        assert not bring_up(stack, NEEDED).failed
        yield stack
        if not os.environ.get("OUTRIDER_KEEP"):
            remove(stack, all_components())


@pytest.fixture(scope="session")
def seed(thorough: bool) -> str:
    """OUTRIDER_FAULT_SEED; without it the long run draws one, and the short run takes one that kills each sort once."""
    drawn = str(random.SystemRandom().randrange(10**6)) if thorough else "290"
    return os.environ.get("OUTRIDER_FAULT_SEED") or drawn


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Whether there is time for everything: where OUTRIDER_FAULT_SECONDS says so."""
    return "OUTRIDER_FAULT_SECONDS" in os.environ


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say how to see a failure again."""
    report = yield
    if report.failed and (drawn := getattr(item, "funcargs", {}).get("seed")):
        command = f"make test-faults SEED={drawn} SECONDS={os.environ.get('OUTRIDER_FAULT_SECONDS', '30')}"
        report.sections.append(("to see it again", f"{command}   # draws the same: {item.name}"))
    return report
