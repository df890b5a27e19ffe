"""Rows merge so that order, repetition and grouping do not matter."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage.domain.schema import EDGES, TABLES, TRIES, VERSIONS
from lineage.domain.tables import Column, Row, Table, Value, merge

_MOMENTS = [datetime(2026, 11, 1, h, tzinfo=UTC) for h in range(3)]


def _values(column: Column) -> st.SearchStrategy[Value]:
    kinds: dict[str, st.SearchStrategy[Value]] = {
        "text": st.sampled_from(["", "a", "B", "é"]),
        "bigint": st.integers(0, 3),
        "boolean": st.booleans(),
        "timestamptz": st.sampled_from([None, *_MOMENTS]),
        "uuid": st.sampled_from([None, UUID(int=1), UUID(int=2)]),
    }
    return kinds[column.sql]


def _rows(table: Table) -> st.SearchStrategy[Row]:
    """Rows of one key; what a key determines is equal in all of them."""
    fixed: Row = {c.name: "x" for c in (*table.keys, *table.columns) if c.merge == "fixed" and not c.group}
    moving = {c.name: _values(c) for c in table.columns if c.name not in fixed and c not in table.keys}
    return st.fixed_dictionaries(moving).map(lambda values: {**fixed, **{c.name: "x" for c in table.keys}, **values})


@pytest.mark.parametrize("table", [TRIES, VERSIONS, EDGES], ids=lambda table: table.name)
@settings(deadline=None)
@given(data=st.data())
def test_merging_is_commutative_associative_and_idempotent(table: Table, data: st.DataObject) -> None:
    """The three laws that make any order, repetition or batching of facts give one table."""
    one, two, three = (data.draw(_rows(table)) for _ in range(3))

    assert merge(table, one, two) == merge(table, two, one)
    assert merge(table, merge(table, one, two), three) == merge(table, one, merge(table, two, three))
    assert merge(table, one, one) == one


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_says_how_it_merges_or_is_determined_by_the_key(table: Table) -> None:
    """A column without a rule may hold only what follows from the key."""
    determined = {"ol_run_id", "dataset", "kind", "team", "namespace", "name", "job"}

    assert {c.name for c in table.columns if c.merge == "fixed" and not c.group} <= determined


def test_a_misspelt_column_is_refused() -> None:
    """A row that says something nobody keeps would be lost silently."""
    with pytest.raises(KeyError, match="no column strated_at"):
        EDGES.complete({"source": UUID(int=1), "target": UUID(int=2), "strated_at": None})
