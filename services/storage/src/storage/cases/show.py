"""What people see: the environments of a run, and what will be removed."""

from collections import defaultdict

from outrider_contracts.holdings import Environments, EnvironmentView, Pending, PendingVersion, VersionView

from storage.cases.work import Work
from storage.domain.attempts import Attempt
from storage.records import attempts, control, holds, listings
from storage.records.listings import Listed

_MOST = 1000


async def environments(
    work: Work, team: str, dag_id: str | None = None, run_id: str | None = None, task_id: str | None = None
) -> Environments:
    """Generations of the team's places (of the DAG, the run, the task), oldest first; the newest 1,000."""
    async with work.database.begin() as tx:
        found = await attempts.find(tx.connection, team, dag_id, run_id, task_id, _MOST)
        listed = await listings.of_attempts(tx.connection, work.clock(), found)
    by_generation: dict[tuple[object, int], list[Listed]] = defaultdict(list)
    for one in listed:
        by_generation[one.version.task, one.version.generation].append(one)
    current = _current(found, listed)
    return Environments(
        environments=tuple(_view(one, by_generation[one.task, one.generation], current) for one in found)
    )


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


def _view(attempt: Attempt, listed: list[Listed], current: set[str]) -> EnvironmentView:
    return EnvironmentView(
        task=attempt.task, try_number=attempt.try_number, run_started_at=attempt.run_started_at,
        generation=attempt.generation, place=attempt.place, state=attempt.state, outcome=attempt.outcome,
        announced_at=attempt.announced_at, ready_at=attempt.ready_at, sealed_at=attempt.sealed_at,
        inputs=dict(attempt.inputs or {}),
        versions=tuple(
            VersionView(
                output=one.version.output, path=one.path, state=one.state, current=one.path in current,
                retention=one.retention, files=one.files, bytes=one.bytes, due_at=one.due_at,
                not_before=one.not_before, cleared_at=one.cleared_at, reason=one.reason,
            )
            for one in listed
        ),
    )  # fmt: skip
