"""Brings components up in parallel, in the order they ask for, and takes them down in the reverse order."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from outrider_local.component import Component
from outrider_local.errors import StackError, StartFailed
from outrider_local.names import OPTIONAL
from outrider_local.stack import Stack

Phase = Literal["waiting", "installing", "starting", "ready", "failed", "skipped", "stopping", "stopped"]
Tell = Callable[[str, Phase, float, str], None]


@dataclass
class Outcome:
    """How a bring_up went."""

    seconds: float = 0.0
    ready: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def silent(_component: str, _phase: Phase, _seconds: float, _detail: str) -> None:
    """Tell nobody."""


def with_needs(wanted: Iterable[str], components: Sequence[Component]) -> tuple[Component, ...]:
    """The components named by *wanted* and all they can't do without, in the order of *components*."""
    by_name = {component.name: component for component in components}
    needed: set[str] = set()
    open_names = list(wanted)
    while open_names:
        name = open_names.pop()
        if name not in by_name:
            raise StackError(f"there is no component {name!r}; there are: {', '.join(by_name)}")
        if name not in needed:
            needed.add(name)
            needs = [before for before in by_name[name].after if before not in OPTIONAL or name in OPTIONAL]
            open_names.extend(before for before in needs if before in by_name)
    return tuple(component for component in components if component.name in needed)


def bring_up(stack: Stack, components: Sequence[Component], tell: Tell = silent) -> Outcome:
    """Install and start *components*; what runs is left alone. A failure stops only what comes after it."""
    began = time.monotonic()
    outcome = Outcome()
    if not stack.processes.any_alive():
        stack.ports.forget_taken()
    started: dict[str, Future[bool]] = {}

    def one(component: Component) -> bool:
        try:
            return _start_one(stack, component, started, tell, began, outcome)
        except (StackError, OSError) as error:
            outcome.failed[component.name] = str(error)
            tell(component.name, "failed", time.monotonic() - began, str(error))
            return False

    # a thread for each: most of them only wait for another one
    with ThreadPoolExecutor(max_workers=max(1, len(components))) as pool:
        for component in _sorted(components):
            started[component.name] = pool.submit(one, component)
    for future in started.values():
        future.result()
    outcome.seconds = time.monotonic() - began
    return outcome


def bring_down(stack: Stack, components: Sequence[Component], tell: Tell = silent) -> None:
    """Stop *components*, each after those that need it; side by side where nothing says otherwise."""
    began = time.monotonic()
    stopped: dict[str, Future[None]] = {}

    def one(component: Component) -> None:
        for name in [other.name for other in components if component.name in other.after]:
            stopped[name].result()
        tell(component.name, "stopping", time.monotonic() - began, "")
        component.stop(stack)
        tell(component.name, "stopped", time.monotonic() - began, "")

    with ThreadPoolExecutor(max_workers=max(1, len(components))) as pool:
        for component in reversed(_sorted(components)):
            stopped[component.name] = pool.submit(one, component)
    for future in stopped.values():
        future.result()


def endpoints(stack: Stack, components: Iterable[Component]) -> dict[str, Mapping[str, str]]:
    """Every component's addresses."""
    return {component.name: dict(component.endpoints(stack)) for component in components}


def _start_one(
    stack: Stack, component: Component, started: Mapping[str, Future[bool]], tell: Tell, began: float, outcome: Outcome
) -> bool:
    tell(component.name, "installing", time.monotonic() - began, "")
    component.install(stack)
    before = [name for name in component.after if name in started]
    if before:
        tell(component.name, "waiting", time.monotonic() - began, "for " + ", ".join(before))
    missing = [name for name in before if not started[name].result()]
    if missing:
        outcome.failed[component.name] = f"not started: {', '.join(missing)} did not become ready"
        tell(component.name, "skipped", time.monotonic() - began, outcome.failed[component.name])
        return False
    tell(component.name, "starting", time.monotonic() - began, "")
    _start(stack, component)
    outcome.ready[component.name] = time.monotonic() - began
    tell(component.name, "ready", outcome.ready[component.name], "")
    return True


def _start(stack: Stack, component: Component) -> None:
    """Start it; once more where what was found running died meanwhile: what was killed a moment ago is still there."""
    before = stack.state.now.processes
    found = [name for name in stack.processes_of(component.name) if stack.processes.alive(name)]
    try:
        component.start(stack)
    except StartFailed:
        now = stack.state.now.processes
        if not any(now.get(name) == before[name] and not stack.processes.alive(name) for name in found):
            raise
        component.start(stack)


def _sorted(components: Sequence[Component]) -> list[Component]:
    """Each component behind those it comes after. Raises StackError for a circle."""
    names = {component.name for component in components}
    done: list[Component] = []
    rest = list(components)
    while rest:
        placed = {component.name for component in done}
        free = [c for c in rest if all(before in placed for before in c.after if before in names)]
        if not free:
            raise StackError(f"these components wait for one another: {', '.join(c.name for c in rest)}")
        done.extend(free)
        rest = [component for component in rest if component not in free]
    return done
