"""What was answered of a run, sorted by task: its tries, its generations, what it was told."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from outrider_contracts.explain import words
from outrider_contracts.holdings import Environments, EnvironmentView, ToldView
from outrider_contracts.keys import TaskKey
from outrider_contracts.runs import RunAnswer, TryAnswer

Instance = tuple[str, int]
"""Task id and map index."""
FAILED = frozenset({"failed", "lost", "upstream_failed"})
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Since:
    """From which start of the run on tries say how it stands: before `created` there was another run of its id."""

    created: datetime = _NEVER
    going_on: datetime = _NEVER
    """The newest start where the run goes on: what failed before may have been cleared, or all would be over."""


@dataclass
class TaskFacts:
    """Everything known of one task instance of the run, each list in the order it happened."""

    task_id: str
    map_index: int
    since: Since = Since()
    tries: list[TryAnswer] = field(default_factory=list)
    environments: list[EnvironmentView] = field(default_factory=list)
    told: list[ToldView] = field(default_factory=list)

    @property
    def label(self) -> str:
        return words.task(self.task_id, self.map_index)

    @property
    def last(self) -> TryAnswer | None:
        """Its newest try; None where that says nothing of how the task stands now."""
        newest = self.tries[-1] if self.tries else None
        if newest is None or newest.run_started_at < self.since.created:
            return None
        return None if newest.state in FAILED and newest.run_started_at < self.since.going_on else newest

    def environment_of(self, try_number: int) -> EnvironmentView | None:
        """The newest generation that the try was given."""
        own = (one for one in reversed(self.environments) if one.run_started_at >= self.since.created)
        return next((one for one in own if one.try_number == try_number), None)

    @property
    def told_now(self) -> list[ToldView]:
        """What it was told since the run began, or began again."""
        return [one for one in self.told if one.run_started_at >= max(self.since.created, self.since.going_on)]

    def told_of(self, try_number: int) -> list[ToldView]:
        """What the try was told, unless it has been given its environment since."""
        environment = self.environment_of(try_number)
        given = environment.resolved_at if environment is not None else None
        return [
            one for one in self.told_now
            if one.task.try_number == try_number and (given is None or one.last_at > given)
        ]  # fmt: skip

    @property
    def state(self) -> str:
        """Airflow's state of the newest try, else how far its place is."""
        if self.last is not None and self.last.state != "announced":
            return self.last.state
        newest = self.environments[-1] if self.environments else None
        return "none" if newest is None or newest.state == "dropped" else newest.state


def by_task(environments: Environments, run: RunAnswer | None) -> Mapping[Instance, TaskFacts]:
    """The facts of each task instance."""
    found: dict[Instance, TaskFacts] = {}
    since = _since(run)

    def of(task_id: str, map_index: int) -> TaskFacts:
        return found.setdefault((task_id, map_index), TaskFacts(task_id, map_index, since))

    for one in sorted(run.tries if run else (), key=_begun):
        of(one.task_id, one.map_index).tries.append(one)
    for environment in sorted(environments.environments, key=lambda one: (one.run_started_at, one.generation)):
        of(environment.task.task_id, environment.task.map_index).environments.append(environment)
    for told in sorted(environments.told, key=lambda one: one.first_at):
        of(told.task.task_id, told.task.map_index).told.append(told)
    return found


def readers_by_output(run: RunAnswer | None) -> Mapping[tuple[str, str], list[str]]:
    """Who reads each output (task, name): first those that have read this run's versions, then who will."""
    have: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    will: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in run.readers if run else ():
        name = one.job or f"a task of team {one.team}"
        if one.tries_in_all:
            tries = "1 try" if one.tries_in_all == 1 else f"{one.tries_in_all} tries"
            have[one.task_id, one.output].append(f"given to {name} ({tries})")
        elif one.declared:
            will[one.task_id, one.output].append(f"next: {name}")
    return {key: have[key] + will[key] for key in {*have, *will}}


def producers_in_run(environment: EnvironmentView | None) -> Iterable[str]:
    """Tasks of the same run that the try reads from."""
    declared = environment.declared.values() if environment is not None else ()
    return [one.task for one in declared if one.selection == "same"]


def source(task: TaskKey, environment: EnvironmentView, name: str) -> str:
    """The output an input means: `team/dag/task/output`."""
    declared = environment.declared.get(name)
    if declared is not None:
        return "/".join((declared.team or task.team, declared.dag or task.dag_id, declared.task, declared.output))
    version = environment.inputs[name][0].version
    return "/".join((version.team, version.dag_id, version.task_id, version.output))


def _since(run: RunAnswer | None) -> Since:
    starts = run.starts if run is not None else ()
    created = max((one.started_at for one in starts if one.clear_number == 0), default=_NEVER)
    newest = max(starts, key=lambda one: one.started_at, default=None)
    return Since(created, newest.started_at if newest is not None and newest.ended_at is None else _NEVER)


def _begun(one: TryAnswer) -> tuple[datetime, int]:
    return one.started_at or one.ended_at or _NEVER, one.try_number
