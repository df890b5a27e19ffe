"""Taking a generation of a place for a try, and what is said where it can't have (or keep) one."""

import asyncio
from datetime import datetime

import structlog
from outrider_contracts.http import Credentials, Environment, StoreAddress
from outrider_contracts.keys import TryKey
from outrider_contracts.tenants import TeamStatus

from storage.cases.work import Work
from storage.domain.access import Access
from storage.domain.attempts import Attempt, Wanted, default_retention, failed_retention, superseding
from storage.domain.refusals import Refused
from storage.ports import UnsafePath
from storage.records import attempts, runs, told, versions
from storage.records.codec import Connection

_log = structlog.stdlib.get_logger(__name__)
_GENERATIONS_TO_TRY = 20


async def made(work: Work, wanted: Wanted, reader: TeamStatus, asked: bool) -> Attempt:
    """The try's generation, claimed, its directories there and empty until somebody is given them."""
    for _ in range(_GENERATIONS_TO_TRY):
        async with work.database.begin() as tx:
            attempt = await _take(work, tx.connection, wanted, reader, asked)
        if attempt.state != "announced":
            return attempt
        if all(await asyncio.gather(*(usable(work, path) for path in attempt.paths.values()))):
            return attempt
        async with work.database.begin() as tx:
            if (mine := await attempts.held(tx.connection, attempt)) is not None:
                await attempts.drop(tx.connection, mine, "the directory held something already", work.clock())
    raise Refused(
        "bad-declaration",
        f"{_GENERATIONS_TO_TRY} generations of {wanted.place} held something already",
        "the store holds data this database does not know: ask the platform's operators",
    )


async def usable(work: Work, path: str) -> bool:
    """Have the directory; False where no try may write there."""
    try:
        return await work.store.objects.open(path)
    except UnsafePath as error:
        _log.warning("directory not made", path=path, error=str(error))
        return False


async def _take(work: Work, connection: Connection, wanted: Wanted, reader: TeamStatus, asked: bool) -> Attempt:
    assert wanted.try_number is not None
    now = work.clock()
    # the run before the place, as its start is heard: the other way round the two would wait for one another
    await runs.confirm(connection, wanted.task.run, wanted.run_started_at, wanted.run_after, wanted.logical_date, now)
    await attempts.lock(connection, wanted.place)
    known = await attempts.of_task(connection, wanted.task)
    order = (wanted.run_started_at, wanted.try_number)
    if asked and (later := superseding(order, known)) is not None:
        raise superseded(label_of(wanted), later)
    attempt = next((a for a in known if a.try_number is not None and a.order == order), None)
    if attempt is not None and attempt.state == "sealed":
        raise Refused(
            "superseded",
            f"{label_of(wanted)} was sealed ({attempt.outcome}) and can't be had again",
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


async def still_writing(connection: Connection, tried: TryKey, run_started_at: datetime) -> Attempt:
    """The try's generation, if it has its environment and is neither sealed nor superseded. Raises Refused."""
    label = f"try {tried.try_number} of {tried.label}"
    known = await attempts.of_task(connection, tried.task)
    order = (run_started_at, tried.try_number)
    attempt = next((a for a in known if a.try_number is not None and a.order == order), None)
    if attempt is None or attempt.inputs is None:
        raise Refused("unknown-try", f"{label} has no environment", "ask for it first: POST /v1/environments/ensure")
    if (later := superseding(order, known)) is not None:
        raise superseded(label, later)
    if attempt.state == "sealed" or not await versions.all_open(connection, attempt):
        raise given_up(label)
    return attempt


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


async def environment_of(work: Work, attempt: Attempt, store: StoreAddress) -> Environment:
    """What the try is given; *store*: where whoever asks finds it."""
    mode = attempt.declaration.way
    return Environment(
        task=attempt.tried,
        run_started_at=attempt.run_started_at,
        generation=attempt.generation,
        place=attempt.place,
        mode=mode,
        store=store,
        inputs=dict(attempt.inputs or {}),
        missing_inputs=attempt.missing_inputs,
        outputs=attempt.outputs,
        credentials=await give_credentials(work, attempt),
        fence="team" if mode == "volume" else "task",
    )


async def give_credentials(work: Work, attempt: Attempt) -> Credentials | None:
    """Short-lived credentials for the try; when they were given is kept. None where the store needs none."""
    given = await work.issuer.issue(access_of(attempt))
    if given is not None:
        async with work.database.begin() as tx:
            await attempts.set_credentials(tx.connection, attempt, work.clock(), given.expires_at)
    return given


async def keep_refusal(work: Work, tried: TryKey, run_started_at: datetime, refusal: Refused) -> None:
    """Keep the no that a try is told, for people who ask why."""
    async with work.database.begin() as tx:
        await told.keep_refusal(
            tx.connection, tried, run_started_at, refusal.reason, refusal.message, refusal.fix, work.clock()
        )


def access_of(attempt: Attempt) -> Access:
    """What the try may touch."""
    tried = attempt.tried
    return Access(
        team=tried.team,
        session=f"{tried.dag_id}.{tried.task_id}.{tried.map_index}.{tried.try_number}",
        inputs=tuple(part.path for parts in (attempt.inputs or {}).values() for part in parts),
        outputs=tuple(attempt.paths.values()),
        by_job=attempt.declaration.way == "uris",
    )


def label_of(wanted: Wanted) -> str:
    """The try as people read it."""
    tried = wanted.task.attempt(wanted.try_number or 0)
    return f"try {tried.try_number} of {tried.label} in run {tried.run_id}"
