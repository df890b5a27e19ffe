"""What people see: the environments of a run, and what will be removed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from outrider_contracts.environments import InputVersion
from outrider_contracts.holdings import (
    MOST_OF_A_RUN,
    CarriedView,
    CredentialsView,
    Environments,
    EnvironmentView,
    HoldView,
    InputSize,
    Pending,
    PendingVersion,
    VersionView,
)
from outrider_contracts.keys import RunKey

from storage.cases.work import Work
from storage.domain.attempts import Attempt
from storage.records import attempts, control, holds, listings, told
from storage.records.listings import Listed

_MOST = 1000


async def environments(
    work: Work, team: str, dag_id: str | None = None, run_id: str | None = None, task_id: str | None = None,
    viewer: str | None = None,
) -> Environments:  # fmt: skip
    """Generations of the team's places (of the DAG, the run, the task), oldest first: the newest 1,000, of a run 5,000.

    A *viewer* of one team sees of other teams' readers the team alone.
    """
    now = work.clock()
    of_run = RunKey(team=team, dag_id=dag_id, run_id=run_id) if dag_id and run_id else None
    most = MOST_OF_A_RUN if of_run else _MOST
    async with work.database.begin() as tx:
        found = await attempts.find(tx.connection, team, dag_id, run_id, task_id, most)
        listed = await listings.of_attempts(tx.connection, now, found)
        held = await holds.of_paths(tx.connection, [one.path for one in listed], now, viewer)
        read = [part.path for one in found for parts in (one.inputs or {}).values() for part in parts]
        sizes = await listings.sizes(tx.connection, read)
        said = await told.of_run(tx.connection, of_run, task_id, most) if of_run else []
        frozen = await control.frozen(tx.connection) if of_run else None
    by_generation: dict[tuple[object, int], list[Listed]] = defaultdict(list)
    for one in listed:
        by_generation[one.version.task, one.version.generation].append(one)
    current = _current(found, listed)
    return Environments(
        environments=tuple(
            _view(one, by_generation[one.task, one.generation], current, held, sizes) for one in found
        ),
        told=tuple(said), frozen=frozen,
    )  # fmt: skip


async def pending(work: Work, team: str | None, viewer: str | None = None) -> Pending:
    """What has a date of removal, soonest first. A *viewer* of one team sees of other teams' readers the team alone."""
    async with work.database.begin() as tx:
        listed = await listings.pending(tx.connection, work.clock(), team, _MOST)
        frozen = await control.frozen(tx.connection)
    return Pending(
        frozen=frozen,
        versions=tuple(
            PendingVersion(
                version=one.version, path=one.path, state=one.state, due_at=one.due_at, not_before=one.not_before,
                bytes=one.bytes, reason=one.reason, waiting_for=one.waiting_for,
                held_by=tuple(dict.fromkeys(holds.shown(holder, viewer) for holder in one.held_by)),
            )
            for one in listed
        ),
    )  # fmt: skip


def _current(found: list[Attempt], listed: list[Listed]) -> set[str]:
    """Paths that readers get: of each output the newest that is sealed and there."""
    order = {(attempt.task, attempt.generation): attempt.order for attempt in found}
    newest: dict[tuple[object, str], Listed] = {}
    for one in sorted(listed, key=lambda one: order[one.version.task, one.version.generation]):
        if one.present and one.state == "sealed":
            newest[one.version.task, one.version.output] = one
    return {one.path for one in newest.values()}


def _view(
    attempt: Attempt, listed: list[Listed], current: set[str], held: Mapping[str, tuple[HoldView, ...]],
    sizes: Mapping[str, tuple[int, int]],
) -> EnvironmentView:  # fmt: skip
    given, until = attempt.credentials_at, attempt.credentials_until
    return EnvironmentView(
        task=attempt.task, try_number=attempt.try_number, run_started_at=attempt.run_started_at,
        generation=attempt.generation, place=attempt.place, state=attempt.state, outcome=attempt.outcome,
        announced_at=attempt.announced_at, ready_at=attempt.ready_at, sealed_at=attempt.sealed_at,
        inputs=dict(attempt.inputs or {}), mode=attempt.declaration.way, logical_date=attempt.logical_date,
        asked_at=attempt.ensured_at, resolved_at=attempt.resolved_at, declared=attempt.declaration.inputs,
        missing_inputs=attempt.missing_inputs,
        input_sizes={name: _size(parts, sizes) for name, parts in (attempt.inputs or {}).items()},
        credentials=CredentialsView(given_at=given, expires_at=until) if given and until else None,
        staged=_carried(attempt.staged_at, attempt.staged_seconds, attempt.staged_cold_bytes),
        stored=_carried(attempt.stored_at, attempt.stored_seconds),
        versions=tuple(_version(one, attempt, one.path in current, held.get(one.path, ())) for one in listed),
    )  # fmt: skip


def _carried(at: datetime | None, seconds: float | None, cold: int | None = None) -> CarriedView | None:
    return None if at is None or seconds is None else CarriedView(at=at, seconds=seconds, cold_bytes=cold)


def _size(parts: Sequence[InputVersion], sizes: Mapping[str, tuple[int, int]]) -> InputSize:
    known = [sizes[part.path] for part in parts if part.path in sizes]
    return InputSize(files=sum(files for files, _ in known), bytes=sum(size for _, size in known))


def _version(one: Listed, attempt: Attempt, current: bool, held: tuple[HoldView, ...]) -> VersionView:
    retention = attempt.failed_retention if attempt.outcome == "failed" else one.retention
    return VersionView(
        output=one.version.output, path=one.path, state=one.state, current=current, retention=retention,
        files=one.files, bytes=one.bytes, due_at=one.due_at, not_before=one.not_before, cleared_at=one.cleared_at,
        reason=one.reason, doomed_at=one.doomed_at, waiting_for=one.waiting_for, holds=held,
    )  # fmt: skip
