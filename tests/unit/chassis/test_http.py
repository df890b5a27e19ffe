"""What every HTTP interface here says to good and bad callers."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from outrider_bus import telemetry
from outrider_bus.bus import Health
from outrider_bus.ports import UnavailableError
from outrider_chassis.http import CurrentCaller, ProblemError, Role, admit, make_app, require
from outrider_chassis.tokens import KeySet

from tests.unit.chassis.issuer import URL, Issuer


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def exported(app: FastAPI) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app._telemetry["tracer_provider"] = provider
    return exporter


@pytest.fixture
def app(issuer: Issuer) -> FastAPI:
    app = make_app("test", KeySet(URL, issuer.jwks), lambda: Health(ready=False, alive=True))

    @app.get("/teams/{team}")
    async def team(team: str, caller: CurrentCaller) -> str:
        require(caller, Role.operator, team)
        return caller.subject

    @app.get("/trace")
    async def trace() -> str:
        return telemetry.current()

    @app.get("/broken/{kind}")
    async def broken(kind: str) -> None:
        raise {
            "no": ProblemError(409, "taken", "it is taken", "take another"),
            "away": UnavailableError("S3 is away"),
            "text": asyncpg.CharacterNotInRepertoireError('invalid byte sequence for encoding "UTF8": 0x00'),
            "json": asyncpg.UntranslatableCharacterError("unsupported Unicode escape sequence"),
            "number": asyncpg.DataError("invalid input for query argument $5: 2147483648 (value out of int32 range)"),
        }[kind]

    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_caller_with_the_role_is_served(client: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await client.get("/teams/ads", headers=bearer(issuer.token()))

    assert (answer.status_code, answer.json()) == (200, "cli")


async def test_without_a_good_token_nothing_is_served(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Basic eDp5"}, bearer("nonsense")):
        answer = await client.get("/teams/ads", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthenticated"
        assert answer.json()["error"]["fix"]


async def test_a_team_s_caller_is_refused_for_another_team(client: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await client.get("/teams/news", headers=bearer(issuer.token(team="ads")))

    assert answer.status_code == 403


async def test_a_caller_with_too_low_a_role_is_refused(client: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await client.get("/teams/ads", headers=bearer(issuer.token(role="viewer")))

    assert answer.status_code == 403
    assert "operator" in answer.json()["error"]["fix"]


async def test_a_suspended_team_is_refused_everywhere(app: FastAPI, client: httpx.AsyncClient, issuer: Issuer) -> None:
    async def admits(team: str) -> bool:
        return team != "ads"

    admit(app, admits)

    assert (await client.get("/teams/ads", headers=bearer(issuer.token(team="ads")))).status_code == 403
    assert (await client.get("/teams/news", headers=bearer(issuer.token(team="news")))).status_code == 200


async def test_every_no_says_what_happened_and_what_to_do(client: httpx.AsyncClient) -> None:
    taken, away, absent = [await client.get(path) for path in ("/broken/no", "/broken/away", "/nowhere")]

    assert (taken.status_code, taken.json()["error"]) == (
        409, {"code": "taken", "message": "it is taken", "fix": "take another"},
    )  # fmt: skip
    assert (away.status_code, away.json()["error"]["code"]) == (503, "unavailable")
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "http_404")


@pytest.mark.parametrize("kind", ["text", "json", "number"])
async def test_what_no_database_can_hold_is_the_callers_fault(client: httpx.AsyncClient, kind: str) -> None:
    """NUL in a text or in JSON, a number out of range: asked again, the answer is the same."""
    refused = await client.get(f"/broken/{kind}")

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_request")
    assert "NUL in a text, or a number out of range" in refused.json()["error"]["message"]


async def test_health_needs_no_token_and_tells_alive_from_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 503


async def test_a_request_goes_on_in_the_trace_it_names_and_health_is_no_span(
    client: httpx.AsyncClient, issuer: Issuer, exported: InMemorySpanExporter
) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    await client.get("/teams/ads", headers={**bearer(issuer.token()), "traceparent": given})
    await client.get("/health/ready", headers={"traceparent": given})

    [span] = exported.get_finished_spans()
    assert span.name == "GET /teams/{team}"
    assert span.context is not None
    assert span.parent is not None
    assert given[3:52] == f"{span.context.trace_id:032x}-{span.parent.span_id:016x}"
    assert issuer.token()[:20] not in span.to_json()


async def test_without_spans_what_is_said_goes_on_in_the_trace_of_the_request(client: httpx.AsyncClient) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    told = [(await client.get("/trace", headers=h)).json() for h in ({"traceparent": given}, {}, {"traceparent": "x"})]

    assert told == [given, "", ""]
