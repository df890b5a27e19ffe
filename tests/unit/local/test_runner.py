"""Components come up side by side, each after those it needs."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from outrider_local.component import Component
from outrider_local.errors import StackError, StartFailed
from outrider_local.processes import Command
from outrider_local.runner import bring_down, bring_up, with_needs
from outrider_local.stack import Stack


@dataclass
class Recorded:
    """A component that writes down what is done to it."""

    name: str
    after: tuple[str, ...] = ()
    done: list[str] = field(default_factory=list)
    broken: bool = False

    def install(self, stack: Stack) -> None:
        return

    def start(self, stack: Stack) -> None:
        if self.broken:
            raise StartFailed("it lies in pieces")
        self.done.append(f"start {self.name}")

    def ready(self, stack: Stack) -> bool:
        return True

    def stop(self, stack: Stack) -> None:
        self.done.append(f"stop {self.name}")

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack.open(tmp_path / "home", tmp_path / "cache")


def three(done: list[str], *, broken: bool = False) -> tuple[Component, ...]:
    return (
        Recorded("service", ("broker", "step"), done),
        Recorded("step", ("broker",), done),
        Recorded("broker", (), done, broken),
    )


def test_a_component_starts_after_those_it_needs(stack: Stack) -> None:
    done: list[str] = []

    outcome = bring_up(stack, three(done))

    assert done == ["start broker", "start step", "start service"]
    assert set(outcome.ready) == {"broker", "step", "service"}


def test_a_component_stops_before_those_it_needs(stack: Stack) -> None:
    done: list[str] = []

    bring_down(stack, three(done))

    assert done == ["stop service", "stop step", "stop broker"]


def test_a_failure_stops_only_what_comes_after_it(stack: Stack) -> None:
    done: list[str] = []

    outcome = bring_up(stack, (*three(done, broken=True), Recorded("other", (), done)))

    assert done == ["start other"]
    assert outcome.failed["broker"] == "it lies in pieces"
    assert "broker" in outcome.failed["step"]


@dataclass
class Dying(Recorded):
    """A component whose process is found alive, and dies of its kill only while it is waited for."""

    def start(self, stack: Stack) -> None:
        self.done.append(f"start {self.name}")
        fresh = stack.processes.start(self.name, Command(("sleep", "600"), cwd=stack.layout.home))

        def ready() -> bool:
            pid = stack.processes.pid(self.name)
            if (not fresh or self.broken) and pid:
                os.kill(pid, signal.SIGKILL)
            return fresh and not self.broken

        stack.await_ready(self.name, ready, seconds=30)


def test_what_was_killed_a_moment_ago_is_started(stack: Stack) -> None:
    done: list[str] = []
    component = Dying("broker", (), done)
    stack.processes.start("broker", Command(("sleep", "600"), cwd=stack.layout.home))

    outcome = bring_up(stack, [component])

    assert outcome.failed == {}
    assert stack.processes.alive("broker")
    assert done == ["start broker"] * 2
    stack.processes.stop("broker")


def test_what_dies_of_itself_is_started_once(stack: Stack) -> None:
    done: list[str] = []

    outcome = bring_up(stack, [Dying("broker", (), done, broken=True)])

    assert outcome.failed["broker"].startswith("broker ended while starting")
    assert done == ["start broker"]


def test_naming_a_component_brings_what_it_needs() -> None:
    wanted = with_needs(["step"], three([]))

    assert [component.name for component in wanted] == ["step", "broker"]


def test_an_unknown_component_is_answered_with_those_there_are() -> None:
    with pytest.raises(StackError, match="broker"):
        with_needs(["brokr"], three([]))


def test_components_that_wait_for_one_another_are_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match="wait for one another"):
        bring_up(stack, (Recorded("a", ("b",)), Recorded("b", ("a",))))
