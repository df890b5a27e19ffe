"""Which pods the team's next task may put away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes.client import V1ObjectMeta, V1Pod, V1PodStatus
from outrider_airflow.pod.leftovers import Tried, in_question, is_over, left_over, tried
from outrider_airflow.pod.plan import RUN_STARTED_AT, TASK, TRY
from outrider_contracts.holdings import Environments, EnvironmentView
from outrider_contracts.keys import TaskKey

START = datetime(2026, 11, 1, tzinfo=UTC)
LATER = START + timedelta(days=2)
WORK = TaskKey(team="ads", dag_id="daily", run_id="r1", task_id="work", map_index=2)
OTHER = TaskKey(team="ads", dag_id="daily", run_id="r1", task_id="other")
OURS = {TASK: WORK.model_dump_json(), TRY: "1", RUN_STARTED_AT: START.isoformat()}


def pod(annotations: dict[str, str] | None, *, made: datetime = START, phase: str = "Running", **more: Any) -> V1Pod:
    metadata = V1ObjectMeta(name="p", annotations=annotations, creation_timestamp=made, **more)
    return V1Pod(metadata=metadata, status=V1PodStatus(phase=phase))


def held(**more: Any) -> Environments:
    given = {"task": WORK, "try_number": 1, "run_started_at": START, "state": "sealed", **more}
    return Environments(environments=(EnvironmentView(generation=1, place="ads/daily/work/d", **given),))


def test_a_pod_says_whose_it_is() -> None:
    assert tried(pod(OURS)) == Tried(WORK, 1, START)


@pytest.mark.parametrize("annotations", [None, {}, {TRY: "1", RUN_STARTED_AT: START.isoformat()}, {**OURS, TASK: "{"}])
def test_a_pod_that_somebody_wants_to_keep_or_made_himself_is_let_be(annotations: dict[str, str] | None) -> None:
    assert tried(pod(annotations)) is None


def test_one_that_is_being_deleted_and_those_of_the_task_itself_are_in_no_question() -> None:
    """An earlier try's pod is looked after by the try itself, which may go on with it."""
    going, left = pod(OURS, deletion_timestamp=START), pod(OURS)

    assert in_question([going, left], WORK, LATER) == []
    assert in_question([going, left], OTHER, LATER) == [(left, Tried(WORK, 1, START))]


def test_those_that_have_ended_are_asked_about_first_then_the_oldest() -> None:
    """A task asks about a few, and those that work may be many."""
    older, old, ended = pod(OURS), pod(OURS, made=START + timedelta(1)), pod(OURS, made=LATER, phase="Succeeded")
    young = pod(OURS, made=LATER - timedelta(minutes=1))

    assert [found for found, _ in in_question([young, old, older, ended], OTHER, LATER)] == [ended, older, old]


def test_a_try_is_over_once_it_is_sealed() -> None:
    assert is_over(Tried(WORK, 1, START), held())
    for other in ({"state": "ready"}, {"try_number": 2}, {"task": OTHER}, {"run_started_at": datetime.now(UTC)}):
        assert not is_over(Tried(WORK, 1, START), held(**other))


def test_a_task_asks_about_a_few_and_gets_those_whose_try_is_over() -> None:
    asked: list[TaskKey] = []

    def environments_of(task: TaskKey) -> Environments:
        asked.append(task)
        return held() if len(asked) % 2 else held(state="ready")

    found = list(left_over([pod(OURS) for _ in range(30)], OTHER, environments_of, LATER))

    assert asked == [WORK] * 10
    assert [one for _, one in found] == [Tried(WORK, 1, START)] * 5
