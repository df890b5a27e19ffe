"""Facts in any order give the same tables, and the tables say what happened."""

from hypothesis import given, settings
from hypothesis import strategies as st
from lineage.adapters.memory import MemoryRecord
from lineage.domain.fold import fold
from lineage.domain.names import Names
from lineage.domain.schema import EDGES, NODES, READS, TABLES, VERSIONS
from lineage.domain.tables import Row
from outrider_contracts.airflow import TaskError

from tests.unit.lineage.stories import at, disordered, run_key, story, task_finished, task_key

NAMES = Names("airflow://test")


async def _ingested(seed: int | None) -> MemoryRecord:
    record = MemoryRecord()
    for batch in [story()] if seed is None else disordered(story(), seed):
        await record.merge(fold(NAMES, batch))
    return record


def _tables(record: MemoryRecord) -> dict[str, list[Row]]:
    return {table.name: record.rows(table) for table in TABLES}


@settings(deadline=None, max_examples=40)  # a loaded machine is no reason to fail
@given(st.integers())
async def test_any_order_repetition_and_batching_gives_the_same_tables(seed: int) -> None:
    """Two topics, several tellers, redelivery and replay: nothing of it may show."""
    assert _tables(await _ingested(seed)) == _tables(await _ingested(None))


async def test_mapped_instances_and_dates_share_one_job_and_one_dataset() -> None:
    """A dataset per date would bury the graph: the date is in the version."""
    record = await _ingested(None)

    labels = {NAMES.output("ads", "daily", "transform", "daily").id, NAMES.job("ads", "daily", "transform").id}
    assert len([row for row in record.rows(NODES) if row["id"] in labels]) == 2
    assert len([row for row in record.rows(VERSIONS) if row["task_id"] == "transform"]) == 4


async def test_edges_of_failed_tries_do_not_count_as_run() -> None:
    """What a failed try wrote is nobody's input."""
    record = MemoryRecord()
    await record.merge(fold(NAMES, [e for e in story()[:13] if "sealed" in e.type and "transform" in repr(e)]))

    assert record.rows(EDGES) == []


async def test_exact_versions_read_are_kept() -> None:
    """Both parts of the mapped output, in the generation that was sealed."""
    record = await _ingested(None)

    read = [row for row in record.rows(READS) if row["team"] == "news"]
    assert [(row["name"], row["from_map_index"], row["generation"]) for row in read] == [
        ("daily", 0, 2),
        ("daily", 1, 2),
    ]
    assert read[0]["partition"] == "20261101T000000.000000Z/m0"


async def test_a_state_airflow_gave_beats_one_that_was_concluded() -> None:
    """The sweep called the try lost later than Airflow said it had succeeded."""
    record = await _ingested(None)

    [lost] = await record.tries([task_key("lost").attempt(1)])

    assert lost.state == "success"


async def test_a_try_told_of_again_after_a_clear_stays_one_try() -> None:
    """Marked failed after the run was reopened: the teller names the run's newer start."""
    record = await _ingested(None)

    [check] = await record.tries([task_key("check").attempt(1)])

    assert check.state == "failed"


async def test_a_run_created_again_under_its_id_has_tries_of_its_own() -> None:
    """Airflow counts tries from 1 again; the first one's success must not cover the second one's failure."""
    record = await _ingested(None)

    tries = await record.tries([task_key("report", run_key("news", "front", "manual__1")).attempt(1)])

    assert [one.state for one in tries] == ["success", "failed"]
    assert len({one.ol_run_id for one in tries}) == 2
    assert len({one.parent_run_id for one in tries}) == 2


async def test_an_error_is_kept_though_a_later_teller_has_none() -> None:
    """The listener tells the error; the sweep reads an end that is milliseconds later, and knows no error."""
    record = MemoryRecord()
    tried = task_key("extract").attempt(1)
    error = TaskError(error_class="JobFailed", fingerprint="0123456789abcdef")
    told = [task_finished(tried, 4, "failed", error=error), task_finished(tried, 4.02, "failed")]

    for facts in (told, told[::-1]):
        await record.merge(fold(NAMES, facts))
        [one] = await record.tries([tried])
        assert one.end is not None
        assert (one.end.at, one.end.error_class) == (at(4.02), "JobFailed")
