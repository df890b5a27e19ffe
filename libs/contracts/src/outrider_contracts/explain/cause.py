"""What stands first in the row of what went wrong, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from outrider_contracts.explain import words
from outrider_contracts.explain.facts import Instance, TaskFacts, producers_in_run
from outrider_contracts.explain.story import Cause, Subject
from outrider_contracts.keys import TaskKey
from outrider_contracts.runs import RunAnswer, TryAnswer

_HINTS = {
    "EnvironmentUnavailable": "outrider status",
    "InputNotStaged": "outrider status",
}
"""What to do about the plugin's own errors before the task is cleared."""
_SERIOUS = {"failed": 0, "retrying": 1, "waiting": 2}
_NAMED = 5
_SEAL_TAKES = timedelta(seconds=5)


def first_cause(
    subject: Subject, tasks: Mapping[Instance, TaskFacts], run: RunAnswer | None, now: datetime
) -> Cause | None:
    """The first cause of what is wrong with the subject, or what it waits for; None where all is well.

    A task that could not run because of another leads to that one, however long the row.
    """
    if subject.task_id is None and run is not None and run.state == "success":
        return None
    found = {key: problem for key, facts in tasks.items() if (problem := _problem(subject, facts, now)) is not None}
    concerned = [key for key in found if subject.concerns(*key)]
    own = [key for key in concerned if not _is_upstream_failed(tasks[key])]
    roots = [_root(subject, key, tasks, found, frozenset()) for key in own or concerned]
    if not roots:
        return _ended_by_airflow(subject, run)
    return min(roots, key=lambda cause: (_SERIOUS[cause.kind], cause.at, cause.task))


def _root(
    subject: Subject,
    key: Instance,
    tasks: Mapping[Instance, TaskFacts],
    found: Mapping[Instance, Cause],
    seen: frozenset[Instance],
) -> Cause:
    """Go from a task that could not run to the one that kept it from running."""
    facts, cause = tasks[key], found[key]
    number = facts.last.try_number if facts.last else 0
    is_told = not _is_upstream_failed(facts)
    before: list[Instance] = []
    if not is_told or any(told.what == "input-missing" for told in facts.told_of(number)):
        before = _failed_producers(facts, found)
        is_told = is_told or bool(before)
    if not is_told:
        before = _failed_before(key, cause, tasks, found)
    before = sorted((o for o in before if o != key and o not in seen), key=lambda other: (found[other].at, other))
    if is_told:
        before = before[:1]
    roots: dict[str, Cause] = {}  # by task: of a mapped one the first part
    for root in (_root(subject, other, tasks, found, seen | {key}) for other in before):
        roots.setdefault(root.task.partition("[")[0], root)
    if len(roots) > 1:
        named = sorted(roots)
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        text = f"{cause.text}; failed have: {', '.join(named[:_NAMED])}{more}"
        return cause.model_copy(update={"text": text, "fix": (f"outrider explain {subject.record_key}",)})
    return next(iter(roots.values()), cause)


def _failed_before(
    key: Instance, cause: Cause, tasks: Mapping[Instance, TaskFacts], found: Mapping[Instance, Cause]
) -> list[Instance]:
    """What may have kept a task from running, where that is not told: of its own part of a mapped group, if any did."""
    failed = [other for other, problem in found.items() if problem.kind == "failed"]
    failed = [other for other in failed if not _is_upstream_failed(tasks[other])]
    # Airflow keeps the time of the first such end, however often the task is cleared
    before = [other for other in failed if found[other].at <= cause.at] or failed
    return [other for other in before if other[1] == key[1] >= 0] or before


def _failed_producers(facts: TaskFacts, found: Mapping[Instance, Cause]) -> list[Instance]:
    """Of the tasks that it reads from."""
    producers = set(producers_in_run(facts.environments[-1] if facts.environments else None))
    return [other for other, problem in found.items() if other[0] in producers and problem.kind == "failed"]


def _is_upstream_failed(facts: TaskFacts) -> bool:
    return facts.last is not None and facts.last.state == "upstream_failed"


def _problem(subject: Subject, facts: TaskFacts, now: datetime) -> Cause | None:
    last = facts.last
    if last is None:
        told = facts.told_now[-1] if facts.told_now else None
        if told is None or told.kind == "waiting":
            return None
        return Cause(kind="failed", task=facts.label, text=told.message, fix=_both(told.fix), at=told.first_at)
    if last.state in ("success", "skipped", "removed"):
        return _unsealed(facts, last, now)
    told_now = facts.told_of(last.try_number)
    refusal = next((one for one in reversed(told_now) if one.kind == "refused"), None)
    over = last.ended_at is not None
    if refusal is not None:
        again = _clear(subject, facts) if over else ""
        return Cause(
            kind="retrying" if last.state == "up_for_retry" else "failed", task=facts.label, text=refusal.message,
            fix=_both(refusal.fix, "" if words.clears(refusal.fix) else again), at=refusal.first_at,
        )  # fmt: skip
    if not over:
        wait = next((one for one in reversed(told_now) if one.kind == "waiting"), None)
        if wait is None:
            return None
        text = f"try {last.try_number} of {facts.label} waits for {wait.what}, for {words.length(now - wait.first_at)}"
        text += f": {wait.message}" if wait.message else ""
        return Cause(kind="waiting", task=facts.label, text=text, at=wait.first_at)
    return _failed(subject, facts, last)


def _failed(subject: Subject, facts: TaskFacts, last: TryAnswer) -> Cause | None:
    at, named = last.ended_at, f"try {last.try_number} of {facts.label}"
    assert at is not None
    error = words.error(last.error_class)
    with_ = f" with {error}" if error else ""
    hint, again = _HINTS.get(error, ""), _clear(subject, facts)
    match last.state:
        case "up_for_retry":
            text = f"{named} failed{with_}; Airflow starts another"
            return Cause(kind="retrying", task=facts.label, text=text, fix=_both(hint), at=at)
        case "upstream_failed":
            text = f"{facts.label} did not run because a task before it failed"
            return Cause(kind="failed", task=facts.label, text=text, fix=_both(again), at=at)
        case "lost":
            text = f"{named} is lost: its process ended without a word, and Airflow says nothing more of it"
            return Cause(kind="failed", task=facts.label, text=text, fix=_both(again), at=at)
        case "failed" if words.is_by_airflow(last.error_class):
            text = (
                f"{named} was ended by Airflow: somebody marked it, or its process never began or was lost; "
                "its log in Airflow, or the scheduler's, says which"
            )
            return Cause(kind="failed", task=facts.label, text=text, fix=_both(again), at=at)
        case "failed":
            text = f"{named} failed{with_}; its log in Airflow has the job's own words"
            return Cause(kind="failed", task=facts.label, text=text, fix=_both(hint, again), at=at)
    return None


def _unsealed(facts: TaskFacts, last: TryAnswer, now: datetime) -> Cause | None:
    environment = facts.environment_of(last.try_number)
    at = last.ended_at
    if last.state != "success" or environment is None or environment.state != "ready" or at is None:
        return None
    if now - at < _SEAL_TAKES:
        return None
    text = f"try {last.try_number} of {facts.label} ended well {words.length(now - at)} ago and is not sealed yet"
    return Cause(kind="waiting", task=facts.label, text=text, fix=("outrider status",), at=at)


def _clear(subject: Subject, facts: TaskFacts) -> str:
    return words.clear_command(TaskKey(**subject.run.model_dump(), task_id=facts.task_id, map_index=facts.map_index))


def _ended_by_airflow(subject: Subject, run: RunAnswer | None) -> Cause | None:
    """The run failed and none of its tasks did."""
    if subject.task_id is not None or run is None or run.state != "failed":
        return None
    at = max((start.ended_at for start in run.starts if start.ended_at is not None), default=None)
    if at is None:
        return None
    text = (
        "the run ended as failed, and of none of its tasks is a failure known: "
        "it took longer than its DAG's dagrun_timeout, or somebody marked it"
    )
    again = words.clear_run_command(subject.dag_id, subject.run_id)
    return Cause(kind="failed", task="", text=text, fix=(again,), at=at)


def _both(*commands: str) -> tuple[str, ...]:
    return tuple(command for command in commands if command)
