"""What is said follows from what is known, once, whatever the order in which it became known."""

import pytest
from outrider_contracts.keys import TryKey
from outrider_contracts.lineage import EdgeAdded

from tests.unit.lineage.scene import Scene
from tests.unit.lineage.stories import EXTRACT, disordered, sealed, story, task_finished, task_key, task_started

TRY: TryKey = task_key("extract").attempt(1)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_plain_task_completes_at_once(scene: Scene) -> None:
    """No environment, no seal to wait for."""
    plain = task_key("check").attempt(1)

    assert await scene.hear(task_started(plain, 1), task_finished(plain, 2)) == ["START", "COMPLETE"]


async def test_an_environment_task_completes_once_its_seal_is_known(scene: Scene) -> None:
    """The event then tells what was written."""
    assert await scene.hear(task_started(TRY, 1, EXTRACT), task_finished(TRY, 4)) == ["START"]
    assert await scene.hear(sealed(TRY, 3, ["orders"])) == ["START", "COMPLETE"]

    complete = scene.tx.said()[-1]
    assert [output["name"] for output in complete["outputs"]] == ["daily/extract/orders"]
    assert complete["eventTime"] == "2026-11-02T09:00:04.000000Z"


async def test_an_end_whose_seal_does_not_come_is_told_without_it(scene: Scene) -> None:
    """The reader of the topic is not kept waiting for ever; a late seal is told as an addition."""
    await scene.hear(task_started(TRY, 1, EXTRACT), task_finished(TRY, 4))

    assert await scene.wait() == ["START", "COMPLETE"]
    assert scene.tx.said()[-1]["outputs"] == []
    assert await scene.hear(sealed(TRY, 9, ["orders"])) == ["START", "COMPLETE", "OTHER"]
    assert len(scene.tx.said()[-1]["outputs"]) == 1


@pytest.mark.parametrize(
    ("state", "said"),
    [("success", "COMPLETE"), ("skipped", "COMPLETE"), ("failed", "FAIL"), ("up_for_retry", "FAIL"), ("lost", "ABORT"),
     ("removed", "ABORT")],
)  # fmt: skip
async def test_each_state_has_its_word(scene: Scene, state: str, said: str) -> None:
    """As Airflow's own OpenLineage provider says them; what nobody saw end is aborted."""
    plain = task_key("check").attempt(1)

    assert await scene.hear(task_started(plain, 1), task_finished(plain, 2, state)) == ["START", said]


@pytest.mark.parametrize("state", ["skipped", "upstream_failed", "removed"])
async def test_a_try_that_never_began_is_not_said(scene: Scene, state: str) -> None:
    """A branch not taken ran nothing."""
    assert await scene.hear(task_finished(task_key("branch").attempt(0), 2, state)) == []
    assert await scene.wait() == []


async def test_a_later_word_on_the_same_try_is_said_too(scene: Scene) -> None:
    """Somebody marks a failed try a success: its end is another one now."""
    plain = task_key("check").attempt(1)
    await scene.hear(task_started(plain, 1), task_finished(plain, 2, "failed"))

    assert await scene.hear(task_finished(plain, 9, "success")) == ["START", "FAIL", "COMPLETE"]


async def test_a_try_is_told_by_its_run(scene: Scene) -> None:
    """The whole story: every event once, whatever the batches."""
    await scene.hear(*story())
    await scene.wait()

    ids = [said_id for _, _, _, said_id in scene.tx.raw]
    assert len(ids) == len(set(ids))
    assert {key for _, key, _, _ in scene.tx.raw} == {"run:airflow://test/ads/daily", "run:airflow://test/news/front"}


@pytest.mark.parametrize("seed", range(10))
async def test_disorder_says_the_same_starts_and_ends(seed: int) -> None:
    """Once everything is known, what was said of every run's start is the same, and its last end is its real one."""
    straight, crooked = Scene(), Scene()
    await straight.hear(*story())
    for batch in disordered(story(), seed):
        await crooked.hear(*batch)
    await straight.wait()
    await crooked.wait()

    def starts(scene: Scene) -> set[str]:
        return {event["run"]["runId"] for event in scene.tx.said() if event["eventType"] == "START"}

    def ends(scene: Scene) -> dict[str, str]:
        said = sorted(scene.tx.said(), key=lambda event: str(event["eventTime"]))
        return {e["run"]["runId"]: e["eventType"] for e in said if e["eventType"] in ("COMPLETE", "FAIL")}

    assert starts(crooked) == starts(straight)
    assert ends(crooked) == ends(straight)


async def test_an_edge_is_said_when_it_is_first_seen(scene: Scene) -> None:
    """Declared before the first run, then run: one fact."""
    await scene.hear(*story())
    await scene.hear(*story())

    edges = [fact for fact in scene.tx.facts if isinstance(fact, EdgeAdded)]
    assert len({edge.id for edge in edges}) == len(edges)
    flows = {(edge.source.name, edge.target.name) for edge in edges}
    assert {("daily/extract/orders", "daily.transform"), ("daily/transform/daily", "front.report")} <= flows
