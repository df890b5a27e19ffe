"""Which migrations are applied, and when a change of history is an error."""

import pytest
from outrider_chassis.migrations import (
    CHASSIS_MIGRATIONS,
    Migration,
    MigrationChanged,
    plan_migrations,
    read_migrations,
)

FIRST, SECOND = Migration("storage", "0001_a.sql", "CREATE TABLE a ()"), Migration("storage", "0002_b.sql", "SELECT 1")


def test_only_what_is_new_is_applied_in_order() -> None:
    applied = {("storage", FIRST.name): FIRST.checksum}

    assert plan_migrations([FIRST, SECOND], {}) == [FIRST, SECOND]
    assert plan_migrations([FIRST, SECOND], applied) == [SECOND]


def test_two_components_may_name_their_files_alike() -> None:
    other = Migration("lineage", FIRST.name, "SELECT 2")

    assert plan_migrations([other], {("storage", FIRST.name): FIRST.checksum}) == [other]


def test_an_applied_file_that_was_edited_is_an_error() -> None:
    with pytest.raises(MigrationChanged, match="0001_a"):
        plan_migrations([FIRST], {("storage", FIRST.name): "something else"})


def test_the_chassis_brings_its_own() -> None:
    assert [migration.name for migration in read_migrations("chassis", CHASSIS_MIGRATIONS)] == ["0001_teams.sql"]
