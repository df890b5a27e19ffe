"""Tokens of pods: each opens what one try was given, as long as the try counts, and nothing else."""

from dataclasses import replace

import pytest
from outrider_contracts.http import EnvironmentToken, TokenRequest
from outrider_contracts.keys import TryKey
from storage.cases import carry
from storage.cases.carry import UnknownToken
from storage.cases.work import PodAddresses
from storage.domain.refusals import Refused

from tests.integration.storage.platform import (
    EXTRACT,
    MIDNIGHT,
    REPORT,
    Platform,
    run,
    run_finished,
    run_started,
    task,
    task_finished,
    task_started,
)


async def token(platform: Platform, wanted: TryKey, *, adoptable: bool = False) -> EnvironmentToken:
    return await carry.give(platform.work, TokenRequest(task=wanted, run_started_at=MIDNIGHT, adoptable=adoptable))


async def revoked(platform: Platform, given: EnvironmentToken) -> bool:
    return (await carry.standing(platform.work, given.token)).revoked


async def test_a_token_opens_what_its_own_try_was_given(platform: Platform) -> None:
    """Its inputs, its outputs, and credentials for these."""
    await platform.produce(task("extract").attempt(1), EXTRACT)
    asked = await platform.ensure(task("report").attempt(1), REPORT)

    given = await token(platform, task("report").attempt(1))
    environment = await carry.environment(platform.work, given.token)

    assert (environment.inputs, environment.outputs) == (asked.inputs, asked.outputs)
    assert environment.credentials is not None
    assert await carry.credentials(platform.work, given.token) is not None
    assert not await revoked(platform, given)


async def test_a_token_is_kept_as_a_hash_alone(platform: Platform) -> None:
    """Whoever reads the database can't act for a try."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    given = await token(platform, task("extract").attempt(1))

    (row,) = await platform.pool.fetch("SELECT digest::text, * FROM storage.tokens")

    assert given.token not in str(dict(row))
    assert given.token not in repr(given)


async def test_only_a_try_with_an_environment_gets_a_token(platform: Platform) -> None:
    with pytest.raises(Refused, match="has no environment"):
        await token(platform, task("extract").attempt(1))


async def test_a_token_that_is_none_or_has_expired_opens_nothing(platform: Platform) -> None:
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    given = await token(platform, task("extract").attempt(1))

    with pytest.raises(UnknownToken):
        await carry.environment(platform.work, given.token[:-1])
    platform.later(days=7, seconds=1)
    with pytest.raises(UnknownToken):
        await carry.credentials(platform.work, given.token)
    await platform.tidy()

    assert await platform.pool.fetchval("SELECT count(*) FROM storage.tokens") == 0


async def test_a_later_try_that_asks_revokes_the_earlier_ones(platform: Platform) -> None:
    """What a zombie still uploads is never read; it is told, so that it leaves."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    given = await token(platform, task("extract").attempt(1))

    await platform.ensure(task("extract").attempt(2), EXTRACT)

    assert await revoked(platform, given)
    with pytest.raises(Refused, match="superseded"):
        await carry.credentials(platform.work, given.token)
    with pytest.raises(Refused, match="superseded"):
        await platform.seal(task("extract").attempt(1))


async def test_a_mere_event_of_a_later_try_revokes_nothing(platform: Platform) -> None:
    """Code in a shared worker could forge it."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    given = await token(platform, task("extract").attempt(1))

    await platform.hear(task_started(task("extract").attempt(2), EXTRACT))

    assert not await revoked(platform, given)


async def test_a_sealed_try_carries_nothing_any_more(platform: Platform) -> None:
    """A killed task is sealed as failed, and its stager leaves."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    given = await token(platform, task("extract").attempt(1))

    await platform.seal(task("extract").attempt(1), success=False)

    assert await revoked(platform, given)


async def test_a_try_whose_pod_may_be_taken_over_outlives_its_worker(platform: Platform) -> None:
    """Try 2 finds the pod of try 1 running and goes on with it: what counts is the pod's try."""
    first, second = task("extract").attempt(1), task("extract").attempt(2)
    environment = await platform.ensure(first, EXTRACT)
    given = await token(platform, first, adoptable=True)
    await platform.hear(task_finished(first, "up_for_retry", platform.now), task_started(second, EXTRACT))

    platform.later(minutes=5)
    await platform.tidy()
    assert not await revoked(platform, given)
    await platform.write(environment)
    sealed = await platform.seal(first)

    assert sealed.generation == environment.generation
    assert await platform.state(environment.outputs["orders"].path) == "sealed"


async def test_a_try_that_nobody_may_take_over_ends_with_its_worker(platform: Platform) -> None:
    first = task("extract").attempt(1)
    await platform.ensure(first, EXTRACT)
    given = await token(platform, first)
    await platform.hear(task_finished(first, "up_for_retry", platform.now))

    platform.later(minutes=5)
    await platform.tidy()

    assert await revoked(platform, given)


@pytest.mark.parametrize("end", ["task", "run", "clear"])
async def test_once_the_task_is_over_nobody_takes_anything_over(platform: Platform, end: str) -> None:
    """Another try ended for good, the run did, or it was started anew."""
    first = task("extract").attempt(1)
    await platform.hear(run_started(run()))
    await platform.ensure(first, EXTRACT)
    given = await token(platform, first, adoptable=True)
    await platform.hear(task_finished(first, "up_for_retry", platform.now))
    over = {
        "task": task_finished(task("extract").attempt(2), "failed", platform.now),
        "run": run_finished(run(), platform.now),
        "clear": run_started(run(), platform.now, clear_number=1),
    }
    await platform.hear(over[end])

    platform.later(minutes=5)
    await platform.tidy()

    assert await revoked(platform, given)


async def test_pods_are_told_addresses_of_their_own(platform: Platform) -> None:
    """On one machine a pod reaches storage and S3 by the host's address among pods."""
    await platform.ensure(task("extract").attempt(1), EXTRACT)
    platform.work = replace(platform.work, pods=PodAddresses("http://10.244.0.1:81", "http://10.244.0.1:82"))

    given = await token(platform, task("extract").attempt(1))
    environment = await carry.environment(platform.work, given.token)

    assert given.url == "http://10.244.0.1:81"
    assert given.store.endpoint_url == environment.store.endpoint_url == "http://10.244.0.1:82"
