"""The real components, each started once per run and only when a test asks for it, by the code `outrider up` uses."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from outrider_local import prerequisites
from outrider_local.components import all_components, prerequisites_of
from outrider_local.errors import StackError
from outrider_local.handles import Database, RunningKafka, RunningKubernetes, RunningPostgres, RunningS3
from outrider_local.names import SERVICES
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.services import Service
from outrider_local.stack import Stack

Start = Callable[..., Stack]
PREFIX = "outrider-test-"
ORPHAN_SECONDS = 60


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack of this run's own, with nothing started yet; gone afterwards (kept with OUTRIDER_KEEP=1)."""
    _remove_orphans()
    # not pytest's own directory: that is private to its user, and the database server runs as another one
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    home.chmod(0o755)
    stack = Stack.open(home)
    with stack.exclusively():
        yield stack
        if not os.environ.get("OUTRIDER_KEEP"):
            remove(stack, all_components())


def _remove_orphans() -> None:
    """Take down the stacks of runs that were killed: a run that lives holds its stack's lock."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # young ones may be between the making of their directory and their lock
        if os.environ.get("OUTRIDER_KEEP") or time.time() - home.stat().st_mtime < ORPHAN_SECONDS:
            continue
        with contextlib.suppress(StackError, OSError):
            orphan = Stack.open(home)
            with orphan.exclusively():
                remove(orphan, all_components())


@pytest.fixture(scope="session")
def start(stack: Stack) -> Start:
    """Start the named components of the run's stack with all they need; quick when they run already."""

    def started(*names: str) -> Stack:
        wanted = with_needs(names, all_components())
        prerequisites.ensure(prerequisites_of(stack, wanted), print)
        outcome = bring_up(stack, wanted)

        assert not outcome.failed, "\n".join(f"{name}: {why}" for name, why in outcome.failed.items())
        return stack

    return started


@pytest.fixture(scope="module", autouse=True)
def alone(stack: Stack) -> Iterator[None]:
    """No service outlives the module that wanted it: it would hear, and answer, what other tests say."""
    yield
    for name in SERVICES:
        Service(name).stop(stack)


@pytest.fixture(scope="session")
def kafka(start: Start) -> RunningKafka:
    """Kafka with SCRAM and the authorizer on, and no topics."""
    return RunningKafka(start("kafka"))


@pytest.fixture(scope="session")
def shared_topics(start: Start) -> RunningKafka:
    """Kafka with the shared topics and the rights of the platform's principals."""
    return RunningKafka(start("topics"))


@pytest.fixture(scope="session")
def postgres(start: Start) -> RunningPostgres:
    """PostgreSQL with the roles and databases of the services."""
    return RunningPostgres(start("postgres"))


@pytest.fixture(scope="module")
def database(postgres: RunningPostgres, request: pytest.FixtureRequest) -> Database:
    """An empty database for the tests of one module."""
    return postgres.database(request.node.name)


@pytest.fixture(scope="session")
def s3(start: Start) -> RunningS3:
    """S3 with IAM and STS, and the bucket."""
    return RunningS3(start("s3"))


@pytest.fixture(scope="session")
def kubernetes(start: Start) -> RunningKubernetes:
    """A control plane without a node: pods stay pending."""
    return RunningKubernetes(start("kubernetes"))


@pytest.fixture(scope="session")
def kubernetes_node(start: Start) -> RunningKubernetes:
    """The same with a node that runs pods, and the images of the stack on it."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("a node for pods needs root")
    return RunningKubernetes(start("node"))
