"""Giving a try its environment: the same for its start event and for its own request."""

from dataclasses import replace
from datetime import timedelta

from outrider_bus.ports import Begin, StaleEpochError, Tx, UnavailableError
from outrider_contracts.environments import EnvironmentReady, EnvironmentRefused, Reason
from outrider_contracts.http import EnsureRequest, Environment
from outrider_contracts.tenants import TeamStatus
from pydantic import TypeAdapter, ValidationError

from storage.cases.resolve import PATIENCE, Held, parts_held, resolve
from storage.cases.take import environment_of, given_up, keep_refusal, label_of, made
from storage.cases.work import Work
from storage.domain.admission import check_mode, check_reach
from storage.domain.attempts import Attempt, Wanted, connections
from storage.domain.refusals import Refused, Waiting
from storage.records import attempts, control, told, versions

_REASON: TypeAdapter[Reason] = TypeAdapter(Reason)
_TAKEOVERS = 4


async def ensure(work: Work, request: EnsureRequest) -> Environment:
    """The environment of a try that asks for it itself. Raises Refused (and says so), Waiting, UnavailableError."""
    try:
        attempt = await prepare(work, _wanted(request), work.database.begin, asked=True)
    except Refused as refusal:
        await _say_refused(work, request, refusal)
        raise
    return await environment_of(work, attempt, await work.store.address(attempt.task.team))


async def prepare(work: Work, wanted: Wanted, begin: Begin, *, asked: bool) -> Attempt:
    """Take a generation for the try, make it, resolve its inputs and say that it is ready; all of it repeatable.

    Raises Refused, Waiting, UnavailableError; what has been made by then stays made.
    """
    try:
        return await _prepare(work, wanted, begin, asked, timedelta(0))
    except Waiting as waiting:
        async with work.database.begin() as tx:
            now = work.clock()
            tried = wanted.task.attempt(wanted.try_number or 0)
            await told.keep_wait(tx.connection, tried, wanted.run_started_at, waiting, now)
            if waiting.until is None:
                waited = await control.waited(tx.connection, f"{label_of(wanted)}: {waiting.waiting_for}", now)
        if waiting.until is not None or waited < PATIENCE:  # the input's own declaration is a bound, too
            raise
    return await _prepare(work, wanted, begin, asked, waited)


async def _prepare(work: Work, wanted: Wanted, begin: Begin, asked: bool, waited: timedelta) -> Attempt:
    reader = await work.admit(wanted.task.team, waited)
    await _check(work, reader, wanted)
    for _ in range(_TAKEOVERS):
        attempt = await made(work, wanted, reader, asked)
        try:
            held = await parts_held(work, wanted, attempt, reader, waited)
        except UnavailableError as error:
            if asked:
                raise
            raise Waiting("what Airflow says of the parts of an input") from error  # the try asks for itself
        try:
            async with begin() as tx:
                mine = await attempts.held(tx.connection, attempt)
                return await _finish(work, tx, wanted, mine, reader, held, waited)
        except StaleEpochError:
            continue  # its event and its request met: whoever took the row over makes the place, this one finds it
    raise Waiting(f"other requests for {label_of(wanted)}")


async def _check(work: Work, reader: TeamStatus, wanted: Wanted) -> None:
    """Refuse what can't be had whatever is sealed. Raises Refused."""
    check_mode(reader, wanted.declaration)
    for declared in wanted.declaration.inputs.values():
        if declared.team is not None and (producer := await work.teams.get(declared.team)) is not None:
            check_reach(reader, declared, wanted.task.dag_id, producer)


async def _finish(
    work: Work, tx: Tx, wanted: Wanted, mine: Attempt | None, reader: TeamStatus, held: Held, waited: timedelta
) -> Attempt:
    if mine is None:
        raise StaleEpochError
    if not await versions.all_open(tx.connection, mine):
        raise given_up(label_of(wanted))
    await attempts.set_ready(tx.connection, mine, work.clock())
    if mine.inputs is not None:
        return mine
    resolution = await resolve(work, tx.connection, wanted, mine, reader, held, waited)
    if resolution.ask:
        raise Waiting("the parts of a mapped task, which changed just now")
    await attempts.set_inputs(tx.connection, mine, resolution.inputs, resolution.missing, work.clock())
    ready = replace(mine, state="ready", inputs=resolution.inputs, missing_inputs=resolution.missing)
    await _say_ready(work, tx, ready)
    return ready


async def _say_ready(work: Work, tx: Tx, attempt: Attempt) -> None:
    sources, destinations = connections(attempt.declaration)
    await tx.say(
        EnvironmentReady(
            task=attempt.tried, run_started_at=attempt.run_started_at, generation=attempt.generation,
            place=attempt.place, inputs=dict(attempt.inputs or {}), outputs=attempt.outputs,
            sources=sources, destinations=destinations, ready_at=work.clock(),
        ),
        team_copies=True,
    )  # fmt: skip


async def _say_refused(work: Work, request: EnsureRequest, refusal: Refused) -> None:
    await keep_refusal(work, request.task, request.run_started_at, refusal)
    try:
        reason = _REASON.validate_python(refusal.reason)
    except ValidationError:
        return  # a no of this interface, not one of the facts
    async with work.database.begin() as tx:
        await tx.say(
            EnvironmentRefused(
                task=request.task, run_started_at=request.run_started_at, reason=reason,
                message=refusal.message, fix=refusal.fix, refused_at=work.clock(),
            ),
            team_copies=reason not in ("unknown-team", "suspended-team"),
        )  # fmt: skip


def _wanted(request: EnsureRequest) -> Wanted:
    return Wanted(
        request.task.task, request.run_started_at, request.run_after, request.logical_date, request.declaration,
        request.task.try_number,
    )  # fmt: skip
