"""Names and ids are functions of natural keys."""

from datetime import UTC, datetime

import pytest
from lineage.domain.names import Names, dag_run_id, static_uuid7, try_run_id

from tests.unit.lineage.stories import at, run_key, task_key

NAMES = Names("airflow://test")
TRY = task_key("extract", map_index=1).attempt(2)


def test_a_run_id_is_a_uuid_of_version_7_that_sorts_by_the_run_s_start() -> None:
    """Stable for ever, and in order for those who partition by it."""
    first, later = (try_run_id(NAMES, TRY, at(seconds)) for seconds in (0, 5))

    assert first == try_run_id(NAMES, TRY, at(0))
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first < later


@pytest.mark.parametrize(
    "change",
    [{"team": "news"}, {"dag_id": "d"}, {"run_id": "r"}, {"task_id": "t"}, {"map_index": 0}, {"try_number": 1}],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_the_key_is_in_the_run_id(change: dict[str, object]) -> None:
    """Forgetting one made collisions in others' systems, one after the other."""
    other = TRY.model_copy(update=change)

    assert try_run_id(NAMES, other, at(0)) != try_run_id(NAMES, TRY, at(0))


def test_a_run_started_again_is_another_run() -> None:
    """Cleared, or created again under its id."""
    assert dag_run_id(NAMES, run_key(), at(0)) != dag_run_id(NAMES, run_key(), at(20))


def test_a_moment_before_1970_still_gives_a_uuid() -> None:
    """Nobody's clock may break a batch."""
    assert static_uuid7(datetime(1960, 1, 1, tzinfo=UTC), "x").version == 7


def test_a_namespace_belongs_to_the_team_named_in_it_whole() -> None:
    """Not to one whose id begins with it."""
    assert NAMES.owner("airflow://test/ads") == "ads"
    assert NAMES.owner("airflow://test/ads/sub") == "ads"
    assert NAMES.owner("airflow://test/ads-eu") == "ads-eu"
    assert NAMES.owner("postgres://db:5432") is None


def test_an_address_is_an_outside_dataset_and_a_connection_is_the_teams_own() -> None:
    """Two teams that read one table meet there; two connections of one name do not."""
    assert NAMES.outside("ads", "s3://lake/raw/x").id == NAMES.outside("news", "s3://lake/raw/x").id
    assert NAMES.outside("ads", "shop").id != NAMES.outside("news", "shop").id
