"""The record in memory: for tests that run whole use cases without a database."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from outrider_contracts.keys import RunKey, TryKey

from lineage.adapters.rows import by_row, key_of, row_key, run_of, try_row
from lineage.domain.said import Saying
from lineage.domain.schema import EDGES, NODES, READS, RUNS, TABLES, TRIES, WRITES
from lineage.domain.tables import Changes, Row, Table
from lineage.domain.tries import Run, Try, one_per_try
from lineage.ports import Edge


class MemoryRecord:
    """The `Record` without transactions: what is done is done. Waits end when `waits_are_over` is set."""

    def __init__(self) -> None:
        self._known = Changes()
        self._said: set[Saying] = set()
        self._waiting: set[TryKey] = set()
        self.waits_are_over = False

    def rows(self, table: Table) -> list[Row]:
        """Everything in *table*, in the order of its keys."""
        return self._known.rows(table)

    async def merge(self, changes: Changes) -> list[Edge]:
        before = self._known.keys(EDGES)
        for table in TABLES:
            for row in changes.rows(table):
                self._known.add(table, **row)
        return [(row["source"], row["target"]) for row in changes.rows(EDGES) if EDGES.key_of(row) not in before]  # type: ignore[misc]

    async def tries(self, keys: Iterable[TryKey]) -> list[Try]:
        wanted = set(keys)
        reads, writes = by_row(self._with_nodes(READS)), by_row(self._with_nodes(WRITES))
        rows = [
            try_row(row, reads[row_key(row)], writes[row_key(row)]) for row in self.rows(TRIES) if key_of(row) in wanted
        ]
        runs = await self.runs({row.task.run for row in rows})
        return one_per_try(rows, {(run.run, run.run_started_at): run.ol_run_id for run in runs})

    async def runs(self, keys: Iterable[RunKey]) -> list[Run]:
        wanted = set(keys)
        return [run for run in map(run_of, self.rows(RUNS)) if run.run in wanted]

    async def said(self, ol_run_ids: Sequence[UUID]) -> dict[UUID, frozenset[Saying]]:
        return {one: frozenset(s for s in self._said if s.ol_run_id == one) for one in ol_run_ids}

    async def say_once(self, sayings: Iterable[Saying]) -> set[Saying]:
        said = {(one.ol_run_id, one.event_type, one.at) for one in self._said}
        new = {one for one in sayings if (one.ol_run_id, one.event_type, one.at) not in said}
        self._said |= new
        return new

    async def wait_for_seals(self, tries: Iterable[TryKey], settle: timedelta) -> None:  # noqa: ARG002
        self._waiting |= set(tries)

    async def stop_waiting(self, tries: Iterable[TryKey]) -> None:
        self._waiting -= set(tries)

    async def take_due(self) -> list[TryKey]:
        due = list(self._waiting) if self.waits_are_over else []
        self._waiting -= set(due)
        return due

    def _with_nodes(self, table: Table) -> list[Row]:
        nodes = {row["id"]: row for row in self.rows(NODES)}
        shared = ("team", "name", "dag_id", "task_id", "output")
        return [
            {
                **row,
                **{f"node_{name}": nodes[row["dataset"]][name] for name in shared},
                "kind": nodes[row["dataset"]]["kind"],
                "namespace": nodes[row["dataset"]]["namespace"],
            }
            for row in self.rows(table)
        ]
