"""What carries a try's data in and out of a pod: it holds a token for that one try and asks in its name alone."""

import hashlib
import secrets
from collections.abc import Awaitable
from datetime import timedelta

from outrider_contracts.http import (
    Carried,
    CarriedRequest,
    Credentials,
    Environment,
    EnvironmentToken,
    Standing,
    StoreAddress,
    TokenRequest,
)
from outrider_contracts.names import POD_VOLUMES

from storage.cases.take import environment_of, give_credentials, still_writing
from storage.cases.work import Work
from storage.domain.attempts import Attempt
from storage.domain.refusals import Refused
from storage.records import attempts, tokens

_KNOWN_LONG_AGO = timedelta(hours=1)


async def give(work: Work, request: TokenRequest) -> EnvironmentToken:
    """A new token for a try that has its environment and may still write. Raises Refused."""
    tried = request.task
    await work.admit(tried.team, waited=_KNOWN_LONG_AGO)
    token = secrets.token_urlsafe(32)
    expires_at = work.clock() + work.terms.token
    async with work.database.begin() as tx:
        attempt = await still_writing(tx.connection, tried, request.run_started_at)
        await tokens.add(tx.connection, _digest(token), attempt, adoptable=request.adoptable, expires_at=expires_at)
    store = await _store(work, tried.team)
    return EnvironmentToken(token=token, expires_at=expires_at, url=work.pods.storage_url, store=store)


async def environment(work: Work, token: str) -> Environment:
    """Everything that carries data has to know. Raises Refused, UnknownToken."""
    attempt = await _bearer(work, token)
    return await environment_of(work, attempt, await _store(work, attempt.task.team))


async def credentials(work: Work, token: str) -> Credentials | None:
    """New credentials. Raises Refused, UnknownToken."""
    return await give_credentials(work, await _bearer(work, token))


async def standing(work: Work, token: str) -> Standing:
    """Whether it is still worth carrying anything. Raises UnknownToken."""
    return await _stands(_bearer(work, token))


async def carried(work: Work, token: str, told: Carried) -> Standing:
    """Keep for people what was carried, and say whether it is still worth it. Raises UnknownToken."""

    async def keep() -> None:
        await _keep(work, await _bearer(work, token), told)

    return await _stands(keep())


async def carried_by_task(work: Work, request: CarriedRequest) -> Standing:
    """The same for a task that carries its data itself."""

    async def keep() -> None:
        async with work.database.begin() as tx:
            attempt = await still_writing(tx.connection, request.task, request.run_started_at)
        await _keep(work, attempt, request.carried)

    return await _stands(keep())


async def _stands(act: Awaitable[object]) -> Standing:
    """What a try is told that may not go on, instead of an error."""
    try:
        await act
    except Refused as refusal:
        return Standing(revoked=True, reason=str(refusal))
    return Standing(revoked=False)


class UnknownToken(Exception):
    """Nobody was given this token, or it has expired."""


async def _keep(work: Work, attempt: Attempt, told: Carried) -> None:
    async with work.database.begin() as tx:
        await attempts.set_carried(tx.connection, attempt, told, work.clock())


async def _bearer(work: Work, token: str) -> Attempt:
    async with work.database.begin() as tx:
        attempt = await attempts.of_token(tx.connection, _digest(token), work.clock())
        if attempt is None:
            raise UnknownToken
        attempt = await still_writing(tx.connection, attempt.tried, attempt.run_started_at)
    await work.admit(attempt.task.team, waited=_KNOWN_LONG_AGO)
    return attempt


async def _store(work: Work, team: str) -> StoreAddress:
    """The store as pods reach it."""
    address = await work.store.address(team)
    if address.kind == "directory":
        return address.model_copy(update={"root": POD_VOLUMES})
    endpoint = work.pods.s3_endpoint_url
    return address.model_copy(update={"endpoint_url": endpoint}) if endpoint else address


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
