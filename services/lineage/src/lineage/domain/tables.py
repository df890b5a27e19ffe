"""What is kept, and how two tellings of one row merge. The fold in memory and the SQL are both made from this.

Every merge is commutative, associative and idempotent, so any order, repetition or batching of facts gives equal
tables: keys are natural, `least`, `greatest` and `either` are semilattices, and a group moves as one to the greatest
tuple.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

Value = str | int | bool | datetime | UUID | None
Row = dict[str, Value]
Key = tuple[Value, ...]
Merge = Literal["fixed", "least", "greatest", "either"]
SqlType = Literal["text", "bigint", "boolean", "timestamptz", "uuid"]

_EMPTY: dict[SqlType, Value] = {"text": "", "bigint": 0, "boolean": False, "timestamptz": None, "uuid": None}
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Column:
    """A column; `group` names the columns that move together, compared in the order they are listed."""

    name: str
    sql: SqlType
    merge: Merge = "fixed"
    group: str = ""

    @property
    def empty(self) -> Value:
        """What stands where nothing is known."""
        return _EMPTY[self.sql]


@dataclass(frozen=True)
class Table:
    """A table of natural keys and mergeable columns."""

    name: str
    keys: tuple[Column, ...]
    columns: tuple[Column, ...]

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The columns of each group."""
        names = dict.fromkeys(c.group for c in self.columns if c.group)
        return {group: tuple(c.name for c in self.columns if c.group == group) for group in names}

    def key_of(self, row: Row) -> Key:
        """The natural key of *row*."""
        return tuple(row[c.name] for c in self.keys)

    def complete(self, row: Row) -> Row:
        """*row* with every column, empty where it says nothing. Raises KeyError for a column it does not have."""
        if strange := row.keys() - {c.name for c in (*self.keys, *self.columns)}:
            raise KeyError(f"{self.name} has no column {', '.join(sorted(strange))}")
        return {
            c.name: row[c.name] if c in self.keys else row.get(c.name, c.empty) for c in (*self.keys, *self.columns)
        }


def merge(table: Table, one: Row, other: Row) -> Row:
    """Both rows as one."""
    merged = dict(one)
    for column in table.columns:
        if not column.group:
            merged[column.name] = _merge_value(column, one[column.name], other[column.name])
    for names in table.groups.values():
        greatest = max((one, other), key=lambda row: tuple(_orderable(row[name]) for name in names))
        merged.update({name: greatest[name] for name in names})
    return merged


def _merge_value(column: Column, one: Value, other: Value) -> Value:
    if column.merge == "either":
        return bool(one) or bool(other)
    known = [value for value in (one, other) if value is not None]
    if not known or column.merge == "fixed":
        return one
    return (min if column.merge == "least" else max)(known, key=_orderable)


def _orderable(value: Value) -> tuple[int | str | datetime]:
    """Compares like PostgreSQL with COLLATE "C"; what is not known comes first."""
    if value is None:
        return (_BEGINNING,)
    return (value.int if isinstance(value, UUID) else value,)


class Changes:
    """Rows to be merged into the tables, already merged among themselves."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Table, dict[Key, Row]]] = {}

    def add(self, table: Table, **values: Value) -> None:
        """Merge one row in."""
        row = table.complete(values)
        _, rows = self._tables.setdefault(table.name, (table, {}))
        key = table.key_of(row)
        rows[key] = merge(table, rows[key], row) if key in rows else row

    def rows(self, table: Table) -> list[Row]:
        """Rows of *table* in the order of their keys, so that concurrent writers lock in one order."""
        _, rows = self._tables.get(table.name, (table, {}))
        return [rows[key] for key in sorted(rows, key=lambda key: tuple(map(_orderable, key)))]

    def keys(self, table: Table) -> set[Key]:
        """Keys of the rows of *table*."""
        _, rows = self._tables.get(table.name, (table, {}))
        return set(rows)
