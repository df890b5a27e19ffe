"""Finding the versions a try reads, and holding them for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from outrider_contracts.declarations import InputDeclaration
from outrider_contracts.environments import InputVersion
from outrider_contracts.keys import RunKey
from outrider_contracts.tenants import TeamStatus

from storage.cases.work import Work
from storage.domain.admission import UNKNOWN_TEAM_PATIENCE, check_grant
from storage.domain.attempts import Attempt, Wanted
from storage.domain.diagnosis import missing_input, put_off
from storage.domain.refusals import Waiting
from storage.domain.resolution import Candidate, check_kept, is_mapped, own_part, plan_parts, producing_run
from storage.domain.runs import begun_at
from storage.records import attempts, holds, runs, versions
from storage.records.codec import Connection

PATIENCE = UNKNOWN_TEAM_PATIENCE
Held = dict[tuple[RunKey, str], Sequence[int]]
"""Map indexes Airflow holds now, per run and task."""


@dataclass(frozen=True)
class Resolution:
    """What a try reads; `missing` are optional inputs without a version, `ask` parts Airflow has to be asked for."""

    inputs: dict[str, tuple[InputVersion, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    ask: frozenset[tuple[RunKey, str]] = frozenset()


async def parts_held(work: Work, wanted: Wanted, attempt: Attempt, reader: TeamStatus, waited: timedelta) -> Held:
    """Ask Airflow for the parts of mapped producers. Raises UnavailableError, Refused, Waiting."""
    held: Held = {}
    if not wanted.declaration.inputs or attempt.inputs is not None:
        return held
    while True:
        async with work.database.begin() as tx:
            found = await resolve(work, tx.connection, wanted, attempt, reader, held, waited)
        if not found.ask:
            return held
        for run, task_id in found.ask:
            held[run, task_id] = await work.airflow.map_indexes(run, task_id)


async def resolve(
    work: Work, connection: Connection, wanted: Wanted, attempt: Attempt, reader: TeamStatus, held: Held,
    waited: timedelta,
) -> Resolution:  # fmt: skip
    """Resolve every input and hold what was found. Raises Refused or Waiting for a required one without a version.

    Inputs from other runs are fixed by the first try of this run's start, so that its retries read the same bytes; an
    input of the same run follows the producer, which only changes if it is cleared and runs again.
    """
    if attempt.inputs is not None:
        return Resolution(dict(attempt.inputs), attempt.missing_inputs)
    fixed = _fixed(await attempts.of_task(connection, wanted.task), wanted)
    inputs: dict[str, tuple[InputVersion, ...]] = {}
    missing: list[str] = []
    ask: set[tuple[RunKey, str]] = set()
    for name, declared in wanted.declaration.inputs.items():
        check_grant(reader, declared, wanted.task.dag_id)
        found = await find(connection, wanted, declared, held, waited, fixed.get(name))
        if found.ask is not None:
            ask.add(found.ask)
        elif found.parts is not None and await _lock(connection, found.parts):
            inputs[name] = found.parts
        else:
            gone = {part.path for part in found.parts or ()}
            why = missing_input(
                name, wanted, declared, [c for c in found.candidates if not gone or c.path in gone]
            )  # fmt: skip
            why = put_off(why, name, declared, attempt.ensured_at, work.clock())
            # before the try itself asks, its wait has not begun: then nothing is given up for good
            unasked = declared.wait is not None and attempt.ensured_at is None
            if isinstance(why, Waiting) or not declared.optional or unasked:
                raise why
            missing.append(name)
    if not ask:
        now = work.clock()
        paths = [part.path for parts in inputs.values() for part in parts]
        holder = holds.reader(wanted.task, wanted.run_started_at)
        await holds.hold(connection, paths, holder, reason="", now=now, until=now + work.terms.hold)
    return Resolution(inputs, tuple(missing), frozenset(ask))


@dataclass(frozen=True)
class Found:
    """What is there of one input: its parts, or whom to ask for the parts, or neither; and all that was looked at."""

    candidates: Sequence[Candidate]
    parts: tuple[InputVersion, ...] | None = None
    ask: tuple[RunKey, str] | None = None


async def find(
    connection: Connection, wanted: Wanted, declared: InputDeclaration, held: Held, waited: timedelta,
    fixed: tuple[InputVersion, ...] | None = None,
) -> Found:  # fmt: skip
    """Look for the versions *declared* means; *fixed* are those an earlier try has. Raises Refused, Waiting."""
    candidates = await _candidates(connection, wanted, declared, waited)
    check_kept(wanted, declared, candidates)
    if fixed is not None:
        return Found(candidates, fixed)
    if declared.part == "own" and wanted.task.map_index >= 0:
        own = [c for c in candidates if c.version.map_index == wanted.task.map_index]
        return Found(own, own_part(own))
    mapped = is_mapped(candidates, await _declared_mapped(connection, wanted, declared))
    parts, asked = _parts(wanted, declared, candidates, mapped, held)
    return Found(candidates, parts, asked)


def _fixed(siblings: Sequence[Attempt], wanted: Wanted) -> Mapping[str, tuple[InputVersion, ...]]:
    """Inputs from other runs as the first resolved try of this start has them."""
    resolved = [a for a in siblings if a.run_started_at == wanted.run_started_at and a.inputs is not None]
    first = min(resolved, key=lambda attempt: attempt.order, default=None)
    if first is None or first.inputs is None:
        return {}
    now, then = wanted.declaration.inputs, first.declaration.inputs
    same = (name for name in first.inputs if name in now and now[name] == then.get(name))
    return {name: first.inputs[name] for name in same if now[name].selection != "same"}


async def _candidates(
    connection: Connection, wanted: Wanted, declared: InputDeclaration, waited: timedelta
) -> list[Candidate]:
    team, dag_id = declared.team or wanted.task.team, declared.dag or wanted.task.dag_id
    output = (team, dag_id, declared.task, declared.output)
    if declared.selection == "latest":
        return await versions.candidates(connection, *output, until=wanted.run_after)
    if declared.selection == "same-date":
        return await versions.candidates(connection, *output, logical_date=wanted.logical_date)
    run_id = wanted.task.run_id
    found = await versions.candidates(connection, *output, run_id=run_id)
    begun = begun_at(await runs.starts(connection, wanted.task.run), wanted.run_started_at)
    if begun is None and any(c.run_started_at != wanted.run_started_at for c in found):
        # reopened, or deleted and created again? Only its start tells whose the older versions are
        if waited < PATIENCE:
            raise Waiting(f"the start of run {run_id} at {wanted.run_started_at.isoformat()}", 1.0)
        begun = wanted.run_started_at
    return [c for c in found if begun is None or c.run_started_at >= begun]


async def _declared_mapped(connection: Connection, wanted: Wanted, declared: InputDeclaration) -> bool:
    if declared.selection != "same":
        return False  # its versions tell
    known = await runs.starts(connection, wanted.task.run)
    versions_of_dag = {start.dag_version for start in known}
    for dag_version in versions_of_dag:
        for task in await runs.graph(connection, wanted.task.team, wanted.task.dag_id, dag_version):
            if task.task_id == declared.task:
                return task.mapped
    return False


def _parts(
    wanted: Wanted, declared: InputDeclaration, candidates: Sequence[Candidate], mapped: bool, held: Held
) -> tuple[tuple[InputVersion, ...] | None, tuple[RunKey, str] | None]:
    """The parts of the best run that has them all, or whom to ask for the parts of a mapped producer."""
    for run in producing_run(wanted, declared, candidates):
        if mapped and (run, declared.task) not in held:
            return None, (run, declared.task)
        there = [candidate for candidate in candidates if candidate.version.run == run]
        if (parts := plan_parts(there, held.get((run, declared.task)))) is not None:
            return parts, None
    return None, None


async def _lock(connection: Connection, parts: Sequence[InputVersion]) -> bool:
    paths = [part.path for part in parts]
    return await versions.lock_readable(connection, paths) == set(paths)
