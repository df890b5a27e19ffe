"""`/v1/bus` as operators meet it: real tokens, a real bus; who may not act is refused, and the act is the caller's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from outrider_chassis.http import make_app
from outrider_chassis.operations import letter_routes, parked_routes
from outrider_chassis.tokens import KeySet

from tests.integration.bus.real_world import RealWorld, eventually
from tests.integration.bus.test_operations import SLOW, Sick, audits, dead, parked
from tests.unit.bus.promises import finished, hear
from tests.unit.chassis.issuer import URL, Issuer

LANE = {"lanes": [{"group": "g", "lane": "l"}]}
LETTER = {"letters": [{"partition": 0, "offset": 0}], "reason": "why not"}


class Serving:
    """The routes of a bus, and who calls them."""

    def __init__(self, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self._client = client
        self._issuer = issuer

    async def ask(self, method: str, path: str, body: Any = None, **claims: Any) -> httpx.Response:
        token = self._issuer.token(**{"sub": "jo", "role": "operator", **claims})
        return await self._client.request(
            method, f"/v1/bus{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        )


@pytest.fixture
async def started(world: RealWorld) -> AsyncIterator[tuple[RealWorld, Serving, Sick]]:
    work = Sick()
    hear(world, "lanes", work)
    await world.start(SLOW)
    async with served(world) as serving:
        yield world, serving, work


@asynccontextmanager
async def served(world: RealWorld) -> AsyncIterator[Serving]:
    issuer, bus = Issuer(), world.buses[-1]
    app = make_app("test", KeySet(URL, issuer.jwks), bus.health)
    for routes in (parked_routes(bus), letter_routes(bus)):
        app.include_router(routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield Serving(client, issuer)


ACTS = [
    ("/parked/retry", LANE), ("/parked/give-up", LANE), ("/outbox/retry", {"rows": [1]}),
    ("/outbox/discard", {"rows": [1]}), ("/dead-letters/redrive", LETTER), ("/dead-letters/discard", LETTER),
]  # fmt: skip


async def test_who_is_no_operator_of_the_platform_may_not_act(started: tuple[RealWorld, Serving, Sick]) -> None:
    _, serving, _ = started

    for path, body in ACTS:
        viewer = await serving.ask("POST", path, body, role="viewer")
        of_a_team = await serving.ask("POST", path, body, team="ads", role="administrator")
        operator = await serving.ask("POST", path, body)

        assert [viewer.status_code, of_a_team.status_code, operator.status_code] == [403, 403, 200], path
        assert viewer.json()["error"]["code"] == "forbidden"
    for path in ("/parked", "/outbox", "/dead-letters/settled"):
        assert (await serving.ask("GET", path, role="viewer")).status_code == 200
        assert (await serving.ask("GET", path, team="ads", role="viewer")).status_code == 403


async def test_a_lane_is_shown_retried_and_given_up_in_the_callers_name(
    started: tuple[RealWorld, Serving, Sick],
) -> None:
    world, serving, work = started
    await parked(world, finished(world, at=1), finished(world, at=2))

    [lane] = (await serving.ask("GET", "/parked")).json()["lanes"]
    name = {"group": lane["group"], "lane": lane["lane"]}
    work.error = None
    given_up = await serving.ask("POST", "/parked/give-up", {"lanes": [name], "reason": "broken for good"})
    retried = await serving.ask("POST", "/parked/retry", {"lanes": [name, {"group": "g", "lane": "x"}]})
    await eventually(lambda: work.order == [2])
    await world.settle()

    assert (lane["team"], lane["behind"], lane["attempts"]) == (world.team, 1, 1)
    assert given_up.json()["lanes"][0] == {**name, "outcome": "done", "record": lane["record"]}
    assert retried.json()["lanes"][1]["outcome"] == "well"
    assert [audit.actor for audit in await audits(world, "bus.parked.give-up")] == ["jo"]


async def test_a_letter_is_planned_redriven_and_shown_as_settled(world: RealWorld) -> None:
    work = Sick()
    await dead(world, "lanes", work, finished(world))
    work.error = None
    async with served(world) as serving:
        planned = await serving.ask("POST", "/dead-letters/redrive", {**LETTER, "plan_only": True})
        before = await serving.ask("GET", "/dead-letters/settled")
        redriven = await serving.ask("POST", "/dead-letters/redrive", LETTER)
        after = await serving.ask("GET", "/dead-letters/settled")
    await world.settle()

    done = {"letters": [{"partition": 0, "offset": 0, "outcome": "done", "reason": ""}]}
    assert planned.json() == redriven.json() == done
    assert before.json() == {"letters": []}
    [state] = after.json()["letters"]
    assert (state["state"], state["actor"], state["reason"]) == ("redriven", "jo", "why not")
    assert [audit.detail for audit in await audits(world, "bus.dead-letter.redrive")] == ["why not: done"]


async def test_a_first_delivery_is_for_one_letter_that_is_named(started: tuple[RealWorld, Serving, Sick]) -> None:
    _, serving, _ = started
    two = {"letters": [{"partition": 0, "offset": 0}, {"partition": 0, "offset": 1}], "reason": "both"}

    refused = await serving.ask("POST", "/dead-letters/redrive", {**two, "first_delivery": True})
    without_a_reason = await serving.ask("POST", "/dead-letters/discard", {**LETTER, "reason": ""})

    assert [refused.status_code, without_a_reason.status_code] == [422, 422]
    assert "one letter at a time" in refused.json()["error"]["message"]
