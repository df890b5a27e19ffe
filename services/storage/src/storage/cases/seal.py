"""Sealing a try: what it wrote goes on record, and its successful outputs become the current versions."""

import asyncio
from datetime import datetime

import structlog
from outrider_bus.ports import Begin
from outrider_contracts.environments import EnvironmentSealed, Manifest, SealedOutput
from outrider_contracts.http import SealRequest, SealResult
from outrider_contracts.keys import TryKey

from storage.cases.plan import plan_run
from storage.cases.take import given_up, superseded
from storage.cases.work import Work
from storage.domain.attempts import Attempt, connections, superseding, went_on
from storage.domain.refusals import Refused, Waiting
from storage.domain.sealing import Outcome, SealPlan, plan_seal
from storage.ports import UnsafePath
from storage.records import attempts, holds, listings, versions
from storage.records.codec import Connection

_log = structlog.stdlib.get_logger(__name__)


async def seal(work: Work, request: SealRequest, begin: Begin, *, asked: bool = True, over: bool = False) -> SealResult:
    """Seal the try; the same answer however often. Raises Refused, Waiting, UnavailableError.

    A failed try's inputs stay held for the next try, unless the task is *over*.
    """
    async with work.database.begin() as tx:
        attempt = await _claim(tx.connection, request.task, request.run_started_at, request.outcome, asked=asked)
        if attempt.state == "sealed":
            return await _on_record(work, tx.connection, attempt)
    found = await _found(work, attempt, request.outcome)
    plan = plan_seal(attempt, request.outcome, found)
    async with begin() as tx:
        await versions.lock_run(tx.connection, attempt.task.run)
        mine = await attempts.held(tx.connection, attempt)
        if mine is None:
            raise Waiting(f"another request for try {request.task.try_number} of {request.task.label}")
        if not await versions.all_open(tx.connection, mine):
            raise given_up(f"try {mine.try_number} of {mine.task.label}")
        now = work.clock()
        await versions.set_found(tx.connection, mine, plan.outcome, plan.found)
        await attempts.set_sealed(tx.connection, mine, plan.outcome, now)
        holder = holds.reader(mine.task, mine.run_started_at)
        if (over or plan.outcome == "success") and holder not in await holds.reading(tx.connection, mine.task.run):
            await holds.release(tx.connection, holder, now)
        await plan_run(work, tx.connection, mine.task.run)
        result = await _on_record(work, tx.connection, mine, plan)
        sources, destinations = connections(mine.declaration)
        await tx.say(
            EnvironmentSealed(
                task=mine.tried, run_started_at=mine.run_started_at, generation=mine.generation, outcome=plan.outcome,
                logical_date=mine.logical_date, outputs=result.outputs, inputs=dict(mine.inputs or {}),
                sources=sources, destinations=destinations, sealed_at=now,
            ),
            team_copies=True,
        )  # fmt: skip
    return result


async def seal_by_what_is_there(work: Work, attempt: Attempt, ended: str) -> None:
    """Seal a try that ended without a seal: as a success only if Airflow says so and every output is there.

    The generation of one that went on with an earlier try's pod is nobody's.
    """
    outcomes: tuple[Outcome, ...] = ("success", "failed") if ended == "success" else ("failed",)
    for outcome in outcomes:
        request = SealRequest(task=attempt.tried, run_started_at=attempt.run_started_at, outcome=outcome)
        try:
            await seal(work, request, work.database.begin, asked=False, over=ended != "up_for_retry")
        except Refused as refusal:
            if refusal.reason != "output-missing":
                raise
            if await _forgone(work, attempt):
                return
        else:
            return
    raise AssertionError("a failed try is sealed without any output")


async def _forgone(work: Work, attempt: Attempt) -> bool:
    """Whether the try went on with an earlier one's pod; then its own generation is dropped."""
    async with work.database.begin() as tx:
        if not went_on(attempt, await attempts.of_task(tx.connection, attempt.task)):
            return False
        await attempts.drop(tx.connection, attempt, "its try went on with an earlier one's pod", work.clock())
    for path in attempt.paths.values():
        await work.store.objects.close(path)
    return True


async def _claim(
    connection: Connection, tried: TryKey, run_started_at: datetime, outcome: Outcome, *, asked: bool
) -> Attempt:
    known = await attempts.of_task(connection, tried.task)
    label = f"try {tried.try_number} of {tried.label}"
    attempt = next((a for a in known if a.order == (run_started_at, tried.try_number) and a.try_number), None)
    if attempt is None:
        raise Refused("unknown-try", f"{label} has no environment", "ask for it first: POST /v1/environments/ensure")
    if asked and (later := superseding(attempt.order, known)) is not None:
        raise superseded(label, later)
    if attempt.state == "sealed":
        if asked and attempt.outcome != outcome:
            raise Refused(
                "sealed-otherwise",
                f"{label} was sealed as {attempt.outcome} on {attempt.sealed_at}",
                "let Airflow start another try",
            )
        return attempt
    return await attempts.claim(connection, attempt, over=True)


async def _found(work: Work, attempt: Attempt, outcome: Outcome) -> dict[str, Manifest | None]:
    names = list(attempt.paths)
    found = await asyncio.gather(*(_manifest(work, attempt, attempt.paths[name], outcome) for name in names))
    return dict(zip(names, found, strict=True))


async def _manifest(work: Work, attempt: Attempt, path: str, outcome: Outcome) -> Manifest | None:
    """The stager's manifest (files), or what lies there: storage writes that down itself, once it counts.

    What can't be looked at (on a volume a job may put a link in a directory's place) is no output.
    """
    try:
        manifest = await work.store.manifests.read(path)
        if manifest is not None or attempt.declaration.way == "files":
            return manifest
        inventory = await work.store.objects.inventory(path)
        if not inventory.files:
            return None
        word = next(each.format for each in attempt.outputs.values() if each.path == path)
        inventory = inventory.model_copy(update={"format": word})
        return await work.store.manifests.write(path, inventory) if outcome == "success" else inventory
    except UnsafePath as error:
        _log.warning("output not taken", team=attempt.task.team, path=path, error=str(error))
        return None


async def _on_record(work: Work, connection: Connection, attempt: Attempt, plan: SealPlan | None = None) -> SealResult:
    """What the tables say of the sealed attempt."""
    outcome = attempt.outcome if plan is None else plan.outcome
    listed = await listings.of_attempts(connection, work.clock(), [attempt])
    return SealResult(
        generation=attempt.generation,
        outputs={
            one.version.output: SealedOutput(
                version=one.version, path=one.path, files=one.files or 0, bytes=one.bytes or 0,
                expires=one.retention if outcome == "success" else attempt.failed_retention,
                format=attempt.declaration.outputs[one.version.output].format,
            )
            for one in listed
            if one.present or one.files
        },
    )  # fmt: skip
