"""What storage said of the demo's runs, read back from its topic."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from outrider_contracts.airflow import RunStarted
from outrider_contracts.environments import EnvironmentReady, EnvironmentSealed, VersionCleared
from outrider_contracts.event import Event

from outrider_cli.demo.records import Said

E = TypeVar("E", bound=Event)


def of_type(records: Iterable[Said], kind: type[E]) -> list[E]:
    """The facts of one type among *records*."""
    return [kind.model_validate_json(record.value) for record in records if record.headers.get("ce_type") == kind.type]


@dataclass(frozen=True)
class Kept:
    """One version a task wrote."""

    path: str
    files: int
    bytes: int
    expires: str
    outcome: str


def kept(records: Iterable[Said], runs: set[str]) -> list[Kept]:
    """The versions sealed in *runs*, by path."""
    sealed = [fact for fact in of_type(records, EnvironmentSealed) if fact.task.run_id in runs]
    versions = {
        output.path: Kept(output.path, output.files, output.bytes, output.expires, fact.outcome)
        for fact in sealed
        for output in fact.outputs.values()
    }
    return [versions[path] for path in sorted(versions)]


def cleared(records: Iterable[Said], runs: set[str]) -> list[VersionCleared]:
    """The versions of *runs* whose bytes are gone."""
    facts = {fact.path: fact for fact in of_type(records, VersionCleared) if fact.version.run_id in runs}
    return [facts[path] for path in sorted(facts)]


def ready_ms(airflow: Iterable[Said], environments: Iterable[Said], runs: set[str]) -> list[float]:
    """Milliseconds from the record of a run's start to that of each environment announced by it."""
    started = {
        RunStarted.model_validate_json(record.value).run.run_id: record.timestamp_ms
        for record in airflow
        if record.headers.get("ce_type") == RunStarted.type
    }
    took = []
    for record in environments:
        if record.headers.get("ce_type") == EnvironmentReady.type:
            fact = EnvironmentReady.model_validate_json(record.value)
            if fact.task.run_id in runs & started.keys() and fact.task.try_number == 0:
                took.append(float(record.timestamp_ms - started[fact.task.run_id]))
    return sorted(took)


def summary(milliseconds: list[float]) -> str:
    """Median and worst, in words."""
    if not milliseconds:
        return "no environment was announced by its run's start"
    return (
        f"{len(milliseconds)} environments announced by their runs' start: median "
        f"{statistics.median(milliseconds):.0f} ms, slowest {milliseconds[-1]:.0f} ms"
    )
