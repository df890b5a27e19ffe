"""The SQL of merging rows, made from the same tables as the fold in memory: one statement per table and batch."""

from lineage.domain.tables import Column, Row, Table, Value

SCHEMA = "lineage"


def merge_statement(table: Table) -> str:
    """INSERT … ON CONFLICT that merges rows given as one array per column; `is_new` says which were not there."""
    columns = (*table.keys, *table.columns)
    names = ", ".join(_quoted(c.name) for c in columns)
    arrays = ", ".join(f"${at}::{c.sql}[]" for at, c in enumerate(columns, start=1))
    keys = ", ".join(_quoted(c.name) for c in table.keys)
    sets = ", ".join(f"{_quoted(c.name)} = {_merged(table, c)}" for c in table.columns if _moves(c))
    action = f"DO UPDATE SET {sets}" if sets else "DO NOTHING"
    returned = ", ".join(_quoted(c.name) for c in table.keys)
    return (
        f"INSERT INTO {SCHEMA}.{table.name} AS old ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608  names are ours
        f"ON CONFLICT ({keys}) {action} RETURNING {returned}, (xmax = 0) AS is_new"
    )


def arguments(table: Table, rows: list[Row]) -> list[list[Value]]:
    """One list per column, in the order of `merge_statement`."""
    return [[row[c.name] for row in rows] for c in (*table.keys, *table.columns)]


def _moves(column: Column) -> bool:
    return bool(column.group) or column.merge != "fixed"


def _merged(table: Table, column: Column) -> str:
    name = _quoted(column.name)
    if column.group:
        names = table.groups[column.group]
        mine, theirs = (
            "(" + ", ".join(_comparable(table, name, side) for name in names) + ")" for side in ("old", "excluded")
        )
        return f"CASE WHEN {theirs} > {mine} THEN excluded.{name} ELSE old.{name} END"
    if column.merge == "either":
        return f"old.{name} OR excluded.{name}"
    return f"{column.merge.upper()}(old.{name}, excluded.{name})"


def _comparable(table: Table, name: str, side: str) -> str:
    column = next(c for c in table.columns if c.name == name)
    value = f"{side}.{_quoted(name)}"
    return f"COALESCE({value}, '-infinity')" if column.sql == "timestamptz" else value


def _quoted(name: str) -> str:
    return f'"{name}"'
