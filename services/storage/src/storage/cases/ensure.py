"""Giving a try its environment: the same for its start event and for its own request."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from outrider_bus.ports import Begin, StaleEpochError, Tx
from outrider_contracts.environments import EnvironmentReady, EnvironmentRefused, Reason
from outrider_contracts.http import EnsureRequest, Environment
from outrider_contracts.keys import TryKey
from outrider_contracts.tenants import TeamStatus
from pydantic import TypeAdapter, ValidationError

from storage.cases.resolve import PATIENCE, Held, parts_held, resolve
from storage.cases.work import Work
from storage.domain.access import Access
from storage.domain.admission import admit
from storage.domain.attempts import (
    Attempt,
    Wanted,
    connections,
    default_retention,
    failed_retention,
    superseding,
)
from storage.domain.refusals import Refused, Waiting
from storage.records import attempts, control, runs, versions
from storage.records.codec import Connection

_REASON: TypeAdapter[Reason] = TypeAdapter(Reason)
_GENERATIONS_TO_TRY = 20
_TAKEOVERS = 4


async def ensure(work: Work, request: EnsureRequest) -> Environment:
    """The environment of a try that asks for it itself. Raises Refused (and says so), Waiting, UnavailableError."""
    try:
        attempt = await prepare(work, _wanted(request), work.database.begin, asked=True)
    except Refused as refusal:
        await _say_refused(work, request, refusal)
        raise
    return await _environment(work, attempt)


async def prepare(work: Work, wanted: Wanted, begin: Begin, *, asked: bool) -> Attempt:
    """Take a generation for the try, make it, resolve its inputs and say that it is ready; all of it repeatable.

    Raises Refused, Waiting, UnavailableError; what has been made by then stays made.
    """
    try:
        return await _prepare(work, wanted, begin, asked, timedelta(0))
    except Waiting as waiting:
        async with work.database.begin() as tx:
            waited = await control.waited(tx.connection, f"{_label(wanted)}: {waiting.waiting_for}", work.clock())
        if waited < PATIENCE:
            raise
    return await _prepare(work, wanted, begin, asked, waited)


async def _prepare(work: Work, wanted: Wanted, begin: Begin, asked: bool, waited: timedelta) -> Attempt:
    reader = admit(wanted.task.team, await work.teams.get(wanted.task.team), waited)
    for _ in range(_TAKEOVERS):
        attempt = await _made(work, wanted, reader, asked)
        held = await parts_held(work, wanted, attempt, reader, waited)
        try:
            async with begin() as tx:
                mine = await attempts.held(tx.connection, attempt)
                return await _finish(work, tx, wanted, mine, reader, held, waited)
        except StaleEpochError:
            continue  # its event and its request met: whoever took the row over makes the place, this one finds it
    raise Waiting(f"other requests for {_label(wanted)}")


async def _finish(
    work: Work, tx: Tx, wanted: Wanted, mine: Attempt | None, reader: TeamStatus, held: Held, waited: timedelta
) -> Attempt:
    if mine is None:
        raise StaleEpochError
    if not await versions.all_open(tx.connection, mine):
        raise given_up(_label(wanted))
    await attempts.set_ready(tx.connection, mine, work.clock())
    if mine.inputs is not None:
        return mine
    resolution = await resolve(work, tx.connection, wanted, mine, reader, held, waited)
    if resolution.ask:
        raise Waiting("the parts of a mapped task, which changed just now")
    await attempts.set_inputs(tx.connection, mine, resolution.inputs, resolution.missing)
    ready = replace(mine, state="ready", inputs=resolution.inputs, missing_inputs=resolution.missing)
    await _say_ready(work, tx, ready)
    return ready


async def _made(work: Work, wanted: Wanted, reader: TeamStatus, asked: bool) -> Attempt:
    """The try's generation, claimed, its directories there and empty until somebody is given them."""
    for _ in range(_GENERATIONS_TO_TRY):
        async with work.database.begin() as tx:
            attempt = await _take(work, tx.connection, wanted, reader, asked)
        if attempt.state != "announced":
            return attempt
        if all(await asyncio.gather(*map(work.store.objects.open, attempt.paths.values()))):
            return attempt
        async with work.database.begin() as tx:
            if (mine := await attempts.held(tx.connection, attempt)) is not None:
                await attempts.drop(tx.connection, mine, "the directory held something already", work.clock())
    raise Refused(
        "bad-declaration",
        f"{_GENERATIONS_TO_TRY} generations of {wanted.place} held something already",
        "the store holds data this database does not know: ask the platform's operators",
    )


async def _take(work: Work, connection: Connection, wanted: Wanted, reader: TeamStatus, asked: bool) -> Attempt:
    assert wanted.try_number is not None
    now = work.clock()
    await attempts.lock(connection, wanted.place)
    await runs.confirm(connection, wanted.task.run, wanted.run_started_at, wanted.run_after, wanted.logical_date, now)
    known = await attempts.of_task(connection, wanted.task)
    order = (wanted.run_started_at, wanted.try_number)
    if asked and (later := superseding(order, known)) is not None:
        raise superseded(_label(wanted), later)
    attempt = next((a for a in known if a.try_number is not None and a.order == order), None)
    if attempt is not None and attempt.state == "sealed":
        raise Refused(
            "superseded",
            f"{_label(wanted)} was sealed ({attempt.outcome}) and can't be had again",
            "let Airflow start another try: it gets a generation of its own",
        )
    if attempt is None:
        ahead = next((a for a in known if a.try_number is None and a.run_started_at == wanted.run_started_at), None)
        if ahead is not None and await attempts.take(connection, ahead, wanted.try_number, wanted.declaration):
            attempt = ahead
        else:
            attempt = await attempts.open_attempt(
                connection, wanted, now=now,
                retention=default_retention(reader.spec, work.terms.retention),
                failed_retention=failed_retention(reader.spec, work.terms.failed_retention),
            )  # fmt: skip
    return await attempts.claim(connection, attempt, ensured_at=now if asked else None)


def superseded(label: str, later: Attempt) -> Refused:
    """The refusal for a try that a later one has replaced."""
    return Refused(
        "superseded",
        f"{label} was superseded by try {later.try_number} of the run's start at {later.run_started_at.isoformat()}",
        "nothing to do: this process is a leftover, what it writes is never read",
    )


def given_up(label: str) -> Refused:
    """The refusal for a try whose directories are on their way out already."""
    return Refused(
        "superseded",
        f"what {label} was given is sealed, doomed or cleared by now",
        "let Airflow start another try: it gets a generation of its own",
    )


def access_of(attempt: Attempt) -> Access:
    """What the try may touch."""
    tried = attempt.tried
    return Access(
        team=tried.team,
        session=f"{tried.dag_id}.{tried.task_id}.{tried.map_index}.{tried.try_number}",
        inputs=tuple(part.path for parts in (attempt.inputs or {}).values() for part in parts),
        outputs=tuple(attempt.paths.values()),
    )


async def _environment(work: Work, attempt: Attempt) -> Environment:
    return Environment(
        task=attempt.tried,
        run_started_at=attempt.run_started_at,
        generation=attempt.generation,
        place=attempt.place,
        mode=attempt.declaration.mode,
        store=work.store.address,
        inputs=dict(attempt.inputs or {}),
        missing_inputs=attempt.missing_inputs,
        outputs=attempt.outputs,
        credentials=await work.issuer.issue(access_of(attempt)),
    )


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


def _label(wanted: Wanted) -> str:
    tried: TryKey = wanted.task.attempt(wanted.try_number or 0)
    return f"try {tried.try_number} of {tried.label} in run {tried.run_id}"
