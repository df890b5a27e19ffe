"""Puts an explanation together from what storage and lineage answered."""

from datetime import datetime

from outrider_contracts.explain.cause import first_cause
from outrider_contracts.explain.facts import FAILED, TaskFacts, by_task, readers_by_output
from outrider_contracts.explain.fates import inputs_of, outputs_of
from outrider_contracts.explain.story import Explanation, Moment, Subject
from outrider_contracts.explain.timeline import expected_of, of_run, of_task
from outrider_contracts.holdings import MOST_OF_A_RUN, Environments
from outrider_contracts.runs import RunAnswer

_OVER = FAILED | {"success", "skipped", "removed"}
"""Storage answers with the newest thousand generations."""


def explain(subject: Subject, environments: Environments, run: RunAnswer | None, now: datetime) -> Explanation:
    """The story of a run or task. *environments* and *run* are those of the whole run; *run* None: never heard of.

    What is explained may still go on: the same answers later give a longer story.
    """
    every = by_task(environments, run)
    tasks = [facts for key, facts in every.items() if subject.concerns(*key)]
    readers = readers_by_output(run)
    moments = [*of_run(run), *(moment for facts in tasks for moment in of_task(facts, now))]
    expected = [moment for facts in tasks for moment in expected_of(facts, now)]
    state = _state(subject, tasks, run)
    return Explanation(
        subject=subject, as_of=now, state=state, over=state in _OVER,
        cause=first_cause(subject, every, run, now),
        moments=tuple(sorted(moments, key=_order)), expected=tuple(sorted(expected, key=_order)),
        inputs=tuple(one for facts in tasks for one in inputs_of(facts)),
        outputs=tuple(one for facts in tasks for one in outputs_of(facts, readers, environments.frozen, now)),
        truncated=(run is not None and run.truncated) or len(environments.environments) >= MOST_OF_A_RUN,
    )  # fmt: skip


def _state(subject: Subject, tasks: list[TaskFacts], run: RunAnswer | None) -> str:
    if subject.task_id is None:
        return "unknown" if run is None else run.state
    states = {facts.state for facts in tasks}
    if len(states) <= 1:
        return states.pop() if states else "none"
    going_on = sorted(states - _OVER)  # parts of a mapped task
    if going_on:
        return going_on[0]
    return "failed" if states & FAILED else "success"


def _order(moment: Moment) -> tuple[datetime, int, str]:
    return moment.at, moment.try_number or 0, moment.task
