"""What Airflow showed, what is known already, and how far the reading has come."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeAlias, TypeVar

from outrider_contracts.airflow import TeamRule
from outrider_contracts.event import Event

RunId: TypeAlias = tuple[str, str]
"""dag_id and run_id: how Airflow's REST API names a run."""

TaskId: TypeAlias = tuple[str, str, str, int]
"""dag_id, run_id, task_id, map_index."""

TryId: TypeAlias = tuple[str, str, str, int, int]
"""A task and the number of its try."""

SaidTry: TypeAlias = tuple[str, str, str, int, int, str, datetime]
"""A try, its state, and when it ended."""

TeamRun: TypeAlias = tuple[str, str, str]
"""team, dag_id and run_id. What was said in another team's name is nothing known of this one's run."""


@dataclass(frozen=True)
class SeenRun:
    """A DAG run as Airflow held it when it was read."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    run_after: datetime
    queued_at: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    dag_version: str = ""
    bundle: str = ""
    bundle_version: str | None = None

    @property
    def id(self) -> RunId:
        """Its name in Airflow."""
        return (self.dag_id, self.run_id)

    @property
    def ended(self) -> bool:
        """It finished, and says when."""
        return self.state in ("success", "failed") and self.end_date is not None


@dataclass(frozen=True)
class SeenTask:
    """A task instance, or one earlier try of it, as Airflow held it when it was read."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    state: str | None
    start_date: datetime | None = None
    end_date: datetime | None = None
    logical_date: datetime | None = None
    run_after: datetime | None = None
    operator: str = ""
    bundle: str = ""
    queue: str = ""
    pool: str = ""
    queued_at: datetime | None = None
    scheduled_at: datetime | None = None
    overtaken: bool = False
    """Another try has begun since."""

    @property
    def id(self) -> TaskId:
        """Its name in Airflow."""
        return (self.dag_id, self.run_id, self.task_id, self.map_index)

    @property
    def run(self) -> RunId:
        """The run it belongs to."""
        return (self.dag_id, self.run_id)


@dataclass(frozen=True)
class Whose:
    """The team a DAG belongs to, and the rule that said so."""

    team: str
    rule: TeamRule


@dataclass(frozen=True)
class KnownRun:
    """What has been said of a run, by whomever."""

    dag_id: str
    run_id: str
    whose: Whose
    started_at: datetime
    clear_number: int = 0
    ended_at: datetime | None = None
    missing_since: datetime | None = None
    counted_to: datetime | None = None
    """Clears up to then are in the clear number; None: up to the start."""

    @property
    def id(self) -> RunId:
        """Its name in Airflow."""
        return (self.dag_id, self.run_id)

    @property
    def key(self) -> TeamRun:
        """Its name here."""
        return (self.whose.team, self.dag_id, self.run_id)


def merged(left: KnownRun, right: KnownRun) -> KnownRun:
    """What two tellings of one run come to, in either order: the later start, and its end once it is known."""
    if left.started_at != right.started_at:
        return max(left, right, key=lambda run: run.started_at)
    ends = [run.ended_at for run in (left, right) if run.ended_at]
    counted = [run.counted_to for run in (left, right) if run.counted_to]
    return replace(
        right,
        clear_number=max(left.clear_number, right.clear_number),
        ended_at=max(ends, default=None),
        counted_to=max(counted, default=None),
    )


def try_of(end: SaidTry) -> TryId:
    """The try that ended so."""
    return end[:5]


@dataclass(frozen=True)
class Told:
    """What was told of a try's end. Tellings may differ: a process says its own end, whatever Airflow made of it."""

    last: str
    """The state told last, by whomever."""
    latest: str
    latest_at: datetime
    """The latest end among the tellings, by its own time; of two at once the greater state."""
    examined: bool = False
    """The sweep has looked at this try before."""

    def agrees(self, state: str, ended_at: datetime) -> bool:
        """Whether *state* is what all readers have, those who take the last word and those who take the latest end."""
        return self.last == self.latest == state and self.latest_at >= ended_at


T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of what was asked for, the token of the next page, and Airflow's clock."""

    items: tuple[T, ...]
    next: str | None
    at: datetime


Pass: TypeAlias = Literal["runs", "tasks", "deletions"]


@dataclass(frozen=True)
class Cursor:
    """How far one pass has come: everything updated before `since` is read; `page` is where an unfinished pass goes on.

    REST shows nobody's `updated_at`, so the next pass begins where Airflow's clock stood when this one began.
    """

    since: datetime
    page: str = ""
    began_at: datetime | None = None

    def read_from(self, overlap: timedelta) -> datetime:
        """Rows commit after the time they carry, and clocks differ: read a little again."""
        return self.since - overlap

    def after(self, page: Page[object]) -> "Cursor":
        """Where to go on once *page* is dealt with."""
        began = self.began_at or page.at
        if page.next is not None:
            return replace(self, page=page.next, began_at=began)
        return Cursor(since=max(self.since, began))


@dataclass(frozen=True)
class Outcome:
    """What one step of the sweep comes to: kept as a whole or not at all."""

    facts: tuple[Event, ...] = ()
    dealt_with: frozenset[SaidTry] = frozenset()
    known: tuple[KnownRun, ...] = ()
    gone: tuple[KnownRun, ...] = ()
    suspected: tuple[RunId, ...] = ()
    """Runs that may have been deleted, to be asked after before all others; without run_id all of the DAG."""
    settled: tuple[TaskId, ...] = ()
    """Tasks that no longer are in doubt."""
    moved: tuple[Pass, Cursor, Cursor] | None = None
