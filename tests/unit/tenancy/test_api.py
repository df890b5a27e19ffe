"""Tenancy over HTTP, on memory twins."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from outrider_bus.bus import Health
from outrider_bus.ports import UnavailableError
from outrider_chassis.http import make_app
from outrider_chassis.tokens import KeySet
from tenancy.adapters.memory import MemoryClients
from tenancy.adapters.signing import EdSigner
from tenancy.api import Answers, add_routes
from tenancy.domain.clients import Client, sha256

from tests.unit.tenancy.teams import desired
from tests.unit.tenancy.world import World

ISSUER = "http://tenancy.test"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def world() -> World:
    world = World()
    await world.hear(desired("ads"), desired("news"))
    await world.work()
    return world


@pytest.fixture
async def http(world: World, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    signer = EdSigner(tmp_path / "key.pem", ISSUER)
    clients = MemoryClients()
    clients.kept["cli"] = Client(sha256("of-cli"), "administrator")
    await clients.put("team-ads", "ads", sha256("of-ads"))
    app = make_app("tenancy", KeySet(ISSUER, signer.jwks), lambda: Health(ready=True, alive=True))
    add_routes(app, Answers(world.registry, clients, signer, world.provisioners))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER) as http:
        yield http


async def bearer(http: httpx.AsyncClient, client: str, secret: str) -> dict[str, str]:
    answer = await http.post("/v1/token", data=GRANT, auth=(client, secret))

    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_client_that_proves_itself_gets_a_token_with_its_life(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/v1/token", data=GRANT, auth=("cli", "of-cli"))).json()

    assert answer["token_type"] == "Bearer"
    assert 60 <= answer["expires_in"] <= 3600


@pytest.mark.parametrize("auth", [None, ("cli", "wrong"), ("nobody", "of-cli"), ("team-ads", "of-cli"), ("cli", "")])
async def test_anyone_else_gets_none(http: httpx.AsyncClient, auth: tuple[str, str] | None) -> None:
    answer = await http.post("/v1/token", data=GRANT, auth=httpx.BasicAuth(*auth) if auth else httpx.Auth())

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_client"


async def test_another_grant_type_is_refused_with_the_one_there_is(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/token", data={"grant_type": "password"}, auth=("cli", "of-cli"))

    assert answer.status_code == 400
    assert "client_credentials" in answer.json()["error"]["fix"]


async def test_the_platform_sees_all_teams_and_a_team_itself_alone(http: httpx.AsyncClient) -> None:
    of_cli, of_ads = await bearer(http, "cli", "of-cli"), await bearer(http, "team-ads", "of-ads")

    assert [team["team"] for team in (await http.get("/v1/teams", headers=of_cli)).json()] == ["ads", "news"]
    assert [team["team"] for team in (await http.get("/v1/teams", headers=of_ads)).json()] == ["ads"]
    assert (await http.get("/v1/teams/ads", headers=of_ads)).json()["phase"] == "Ready"
    assert (await http.get("/v1/teams/news", headers=of_ads)).status_code == 403
    assert (await http.get("/v1/teams/absent", headers=of_cli)).status_code == 404


async def test_a_suspended_team_gets_no_token(http: httpx.AsyncClient, world: World) -> None:
    await world.hear(desired("ads", 2, lifecycle="Suspended"))

    answer = await http.post("/v1/token", data=GRANT, auth=("team-ads", "of-ads"))

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "team_suspended"


async def test_reconcile_has_every_provisioner_look_again_and_is_audited(http: httpx.AsyncClient, world: World) -> None:
    before = [len(p.applied) for p in world.provisioners]
    answer = await http.post("/v1/teams/ads/reconcile", headers=await bearer(http, "cli", "of-cli"))
    await world.work()

    assert answer.status_code == 202
    assert [len(p.applied) for p in world.provisioners] == [count + 1 for count in before]
    assert [audit.actor for audit in world.audits("team.reconcile")] == ["cli"]


async def test_plan_says_what_would_be_done_and_does_nothing(http: httpx.AsyncClient, world: World) -> None:
    headers = await bearer(http, "cli", "of-cli")
    world.provisioners[0].held.clear()

    planned = (await http.post("/v1/teams/ads/plan", headers=headers)).json()

    assert planned == {"kafka": ["set kafka/ads"], "iam": []}
    assert world.provisioners[0].held == {}


async def test_a_system_that_can_not_tell_says_so_and_hides_no_other(http: httpx.AsyncClient, world: World) -> None:
    headers = await bearer(http, "cli", "of-cli")
    world.provisioners[0].fails_with = UnavailableError("the broker is away")

    planned = (await http.post("/v1/teams/ads/plan", headers=headers)).json()

    assert planned == {"kafka": ["not known: the broker is away"], "iam": []}
