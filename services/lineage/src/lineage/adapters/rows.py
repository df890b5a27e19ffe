"""Rows of the tables, from a database or from memory, as the domain's values."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from outrider_contracts.keys import RunKey, TryKey

from lineage.domain.names import NodeName
from lineage.domain.tries import End, Run, Seal, TryRow, Version


class AnyRow(Protocol):
    """A row by column name: a dict or a database record."""

    def __getitem__(self, name: str, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...


RowKey = tuple[TryKey, datetime]


def run_of(row: AnyRow) -> Run:
    """A row of `lineage.runs`."""
    ended = row["end_at"] is not None and row["end_clear_number"] >= row["clear_number"]
    return Run(
        run=RunKey(team=row["team"], dag_id=row["dag_id"], run_id=row["run_id"]),
        run_started_at=row["run_started_at"],
        ol_run_id=row["ol_run_id"],
        started=row["started"],
        clear_number=row["clear_number"],
        run_type=row["run_type"],
        dag_version=row["dag_version"],
        logical_date=row["logical_date"],
        data_interval_start=row["data_interval_start"],
        data_interval_end=row["data_interval_end"],
        end=End(row["end_at"], row["end_state"]) if ended else None,
        deleted_at=row["deleted_at"],
    )


def try_row(row: AnyRow, reads: Iterable[Version], writes: Iterable[Version]) -> TryRow:
    """A row of `lineage.tries`, with what the try read and wrote."""
    ended, sealed = row["end_at"] is not None, row["sealed_at"] is not None
    return TryRow(
        task=key_of(row),
        run_started_at=row["run_started_at"],
        ol_run_id=row["ol_run_id"],
        started_at=row["started_at"],
        heard_start=row["heard_start"],
        needs_seal=row["declares"] or row["ready"],
        operator=row["operator"],
        logical_date=row["logical_date"],
        end=End(row["end_at"], row["end_state"], row["end_rank"] < 2, row["error_class"]) if ended else None,
        seal=Seal(row["sealed_at"], row["seal_outcome"], row["generation"]) if sealed else None,
        refusal=row["refusal"],
        reads=tuple(reads),
        writes=tuple(writes),
    )


def key_of(row: AnyRow) -> TryKey:
    """The try a row is about."""
    return TryKey(**{name: row[name] for name in TryKey.model_fields})


def row_key(row: AnyRow) -> RowKey:
    """The try a row is about, and the start of its run."""
    return (key_of(row), row["run_started_at"])


def by_row(rows: Iterable[AnyRow]) -> defaultdict[RowKey, list[Version]]:
    """Rows of `lineage.reads` or `lineage.writes`, joined with their nodes, per row of `lineage.tries`."""
    found: defaultdict[RowKey, list[Version]] = defaultdict(list)
    for row in rows:
        counted = "files" in row.keys() and row["generation"] > 0  # noqa: SIM118  a Record is no dict
        found[row_key(row)].append(
            Version(
                name=row["name"],
                node=node_of(row, "node_"),
                generation=row["generation"],
                path=row["path"],
                partition=row["partition"],
                files=row["files"] if counted else None,
                bytes=row["bytes"] if counted else None,
                format=row["format"] if counted else "",
            )
        )
    for versions in found.values():
        versions.sort(key=lambda version: (version.name, version.path))
    return found


def node_of(row: AnyRow, prefix: str = "") -> NodeName:
    """The node in a row; columns it shares with others carry *prefix*."""
    return NodeName(
        kind=row["kind"],
        team=row[f"{prefix}team"],
        namespace=row["namespace"],
        name=row[f"{prefix}name"],
        dag_id=row[f"{prefix}dag_id"],
        task_id=row[f"{prefix}task_id"],
        output=row[f"{prefix}output"],
    )
