"""What is said about a stack: per component whether it answers, its memory and its addresses."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from outrider_local.component import Component
from outrider_local.stack import Stack
from rich.table import Table

from outrider_cli.context import out

_MIB = 1 << 20


@dataclass(frozen=True)
class ComponentReport:
    """One component now."""

    name: str
    state: str
    """ready, down, or unwell: it runs in part, or does not answer"""
    resident_bytes: int
    endpoints: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """A stack now; how long it took where it was just brought up."""

    home: str
    components: tuple[ComponentReport, ...]
    seconds: float | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_ready(self) -> bool:
        return all(component.state == "ready" for component in self.components)

    @property
    def resident_bytes(self) -> int:
        return sum(component.resident_bytes for component in self.components)

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "ready": self.all_ready, "resident_bytes": self.resident_bytes}


def report_of(stack: Stack, components: Iterable[Component]) -> Report:
    """Ask every component at once how it is."""

    def one(component: Component) -> ComponentReport:
        processes = stack.processes_of(component.name)
        ready = component.ready(stack)
        state = "ready" if ready else "unwell" if any(map(stack.processes.alive, processes)) else "down"
        return ComponentReport(
            component.name, state, stack.resident_bytes(component.name), dict(component.endpoints(stack))
        )

    with ThreadPoolExecutor() as pool:
        return Report(home=str(stack.layout.home), components=tuple(pool.map(one, components)))


def show(report: Report, *, as_json: bool) -> None:
    """Print it for a person or for a program."""
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("component", "state", "memory", "addresses"):
        table.add_column(heading, justify="right" if heading == "memory" else "left", no_wrap=heading != "addresses")
    for component in report.components:
        colour = {"ready": "green", "unwell": "red"}.get(component.state, "dim")
        memory = f"{component.resident_bytes / _MIB:.0f} MiB" if component.resident_bytes else ""
        addresses = "  ".join(f"{name} {address}" for name, address in component.endpoints.items())
        table.add_row(component.name, f"[{colour}]{component.state}[/]", memory, addresses)
    out.print(table)
    took = f"everything ready after {report.seconds:.1f} s, " if report.seconds and not report.failed else ""
    if any(component.name == "airflow" and component.state == "ready" for component in report.components):
        out.print(
            f"\nsign in to Airflow as admin with the password in {report.home}/secrets/airflow-admin", soft_wrap=True
        )
    out.print(f"\n{took}{report.resident_bytes / _MIB:.0f} MiB resident in all; home {report.home}", soft_wrap=True)
