"""Who may look at replays, and who may act."""

from typing import cast

import httpx
import pytest
from outrider_bus.bus import Bus, Health
from outrider_chassis.callers import Caller, Role
from outrider_chassis.http import make_app
from outrider_chassis.replays import replay_routes
from outrider_chassis.tokens import KeySet


class NamedCallers:
    """A token is a role's name; with a slash and a team behind it, a team's own caller."""

    async def verify(self, token: str) -> Caller:
        role, _, team = token.partition("/")
        return Caller("somebody", Role[role], team or None)


@pytest.mark.parametrize(
    ("token", "method", "path"),
    [
        ("viewer", "POST", "/v1/bus/replays"),
        ("viewer", "POST", "/v1/bus/replays/r-1/cancel"),
        ("viewer", "POST", "/v1/bus/replays/r-1/resume"),
        ("operator/ads", "POST", "/v1/bus/replays"),
        ("operator/ads", "GET", "/v1/bus/replays"),
        ("operator/ads", "GET", "/v1/bus/replays/r-1"),
        ("operator/ads", "GET", "/v1/bus/groups"),
    ],
)  # fmt: skip
async def test_a_viewer_may_not_act_and_a_team_may_not_even_look(token: str, method: str, path: str) -> None:
    app = make_app("example", cast(KeySet, NamedCallers()), lambda: Health(ready=True, alive=True))
    app.include_router(replay_routes(cast(Bus, None), "example"))
    headers = {"Authorization": f"Bearer {token}"}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        answer = await client.request(method, path, json={"group": "g"})

    assert answer.status_code == 403
