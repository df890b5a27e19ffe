"""A try and a run as the tables tell of them: one try out of its rows, and the state it is in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from outrider_contracts.keys import RunKey, TryKey

from lineage.domain.names import NodeName


@dataclass(frozen=True)
class End:
    """How a try ended."""

    at: datetime
    state: str
    concluded: bool = False
    """Nobody reported it: the sweep concluded it."""
    error_class: str = ""


@dataclass(frozen=True)
class Seal:
    """What storage put on record of a try."""

    at: datetime
    outcome: str
    generation: int


@dataclass(frozen=True)
class Version:
    """One version a try read or wrote."""

    name: str
    node: NodeName
    generation: int = 0
    path: str = ""
    partition: str = ""
    files: int | None = None
    bytes: int | None = None
    format: str = ""


@dataclass(frozen=True)
class TryRow:
    """What one row of the table says of a try."""

    task: TryKey
    run_started_at: datetime
    ol_run_id: UUID
    started_at: datetime | None = None
    heard_start: bool = False
    """The start itself was told, not only remembered by an end."""
    needs_seal: bool = False
    operator: str = ""
    logical_date: datetime | None = None
    end: End | None = None
    seal: Seal | None = None
    refusal: str = ""
    reads: tuple[Version, ...] = ()
    writes: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Try(TryRow):
    """A try; `parent_run_id` is the OpenLineage run of the DAG run it began in."""

    parent_run_id: UUID | None = None

    @property
    def state(self) -> str:
        """Airflow's state of the try, "running" or "announced"."""
        if self.end is not None:
            return self.end.state
        return "running" if self.started_at is not None else "announced"


@dataclass(frozen=True)
class Run:
    """A DAG run from one start to its end."""

    run: RunKey
    run_started_at: datetime
    ol_run_id: UUID
    started: bool = False
    clear_number: int = 0
    run_type: str = ""
    dag_version: str = ""
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    end: End | None = None
    deleted_at: datetime | None = None

    @property
    def state(self) -> str:
        """Airflow's state of the run, or "running"."""
        return self.end.state if self.end is not None else "running"


@dataclass(frozen=True)
class Told:
    """Tries and runs as they stand now."""

    tries: tuple[Try, ...] = ()
    runs: tuple[Run, ...] = field(default=())


def one_per_try(rows: Iterable[TryRow], parents: dict[tuple[RunKey, datetime], UUID]) -> list[Try]:
    """Rows of one try made one.

    A run gets a new start when tasks of it are cleared. Whoever tells of a try afterwards (somebody marks it a
    success, the sweep reads it late) may name the newer start: rows of one try that began at the same moment are one.
    """
    tries: list[Try] = []
    for row in sorted(rows, key=_chronological):
        if tries and _retells(tries[-1], row):
            tries[-1] = _joined(tries[-1], row)
        else:
            parent = parents.get((row.task.run, row.run_started_at))
            tries.append(Try(**vars(row), parent_run_id=parent))
    return tries


def _chronological(row: TryRow) -> tuple[str, str, int, datetime]:
    return (row.task.record_key, row.task.label, row.task.try_number, row.run_started_at)


def _retells(one: Try, row: TryRow) -> bool:
    return one.task == row.task and one.started_at is not None and row.started_at == one.started_at


def _joined(one: Try, later: TryRow) -> Try:
    ends = [end for end in (one.end, later.end) if end is not None]
    seals = [seal for seal in (one.seal, later.seal) if seal is not None]
    return Try(
        **{
            **vars(one),
            "heard_start": one.heard_start or later.heard_start,
            "needs_seal": one.needs_seal or later.needs_seal,
            "end": max(ends, key=lambda end: (not end.concluded, end.at, end.state), default=None),
            "seal": max(seals, key=lambda seal: (seal.at, seal.outcome), default=None),
            "reads": _union(one.reads, later.reads),
            "writes": _union(one.writes, later.writes),
        }
    )


def _union(one: Sequence[Version], other: Sequence[Version]) -> tuple[Version, ...]:
    return tuple(dict.fromkeys((*one, *other)))
