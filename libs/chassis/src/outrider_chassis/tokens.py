"""Short-lived JWTs (EdDSA): getting one as a service, and verifying one with the issuer's published keys."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import jwt
from outrider_bus.ports import UnavailableError

from outrider_chassis.callers import Caller, Role
from outrider_chassis.settings import secret

AUDIENCE = "outrider"
_RENEW_BEFORE_SECONDS = 30.0
_REFETCH_AFTER_SECONDS = 2.0
_LEEWAY_SECONDS = 10

Jwks = Mapping[str, object]
"""A JSON Web Key Set (RFC 7517)."""


class TokenRefused(Exception):
    """The token is malformed, expired, of another issuer or signed by an unknown key."""


class TokenSource:
    """This client's token, fetched by OAuth2 client credentials (RFC 6749, 4.4) and renewed before it expires."""

    def __init__(
        self, issuer_url: str, client_id: str, secret_file: Path, client: httpx.AsyncClient | None = None
    ) -> None:
        self._url = f"{issuer_url.rstrip('/')}/v1/token"
        self._client_id, self._secret_file = client_id, secret_file
        self._http = client or httpx.AsyncClient(timeout=10)
        self._token, self._until = "", 0.0

    async def bearer(self) -> str:
        """A token good for half a minute at least. Raises UnavailableError, or TokenRefused for a wrong secret."""
        if time.monotonic() < self._until:
            return self._token
        try:
            answer = await self._http.post(
                self._url, data={"grant_type": "client_credentials"}, auth=(self._client_id, secret(self._secret_file))
            )
        except httpx.TransportError as error:
            raise UnavailableError(f"token endpoint {self._url} is away: {type(error).__name__}") from None
        if answer.status_code in (400, 401, 403):
            raise TokenRefused(f"{self._url} refused client {self._client_id!r}: {answer.status_code}")
        if answer.status_code != 200:
            raise UnavailableError(f"token endpoint {self._url} answered {answer.status_code}")
        body = answer.json()
        self._token = str(body["access_token"])
        self._until = time.monotonic() + max(1.0, float(body["expires_in"]) - _RENEW_BEFORE_SECONDS)
        return self._token

    async def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {await self.bearer()}"}


class KeySet:
    """The issuer's public keys, fetched when a token names one that is not known yet."""

    def __init__(self, issuer_url: str, fetch: Callable[[], Awaitable[Jwks]] | None = None) -> None:
        self._issuer = issuer_url.rstrip("/")
        self._fetch = fetch or self._fetch_over_http
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")

    async def verify(self, token: str) -> Caller:
        """The caller *token* speaks for. Raises TokenRefused, or UnavailableError when its key can't be fetched."""
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self._key(kid)
            claims = jwt.decode(
                token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=self._issuer, leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub"]},
            )  # fmt: skip
            team = claims.get("team")
            return Caller(str(claims["sub"]), Role[str(claims["role"])], None if team is None else str(team))
        except jwt.ExpiredSignatureError:
            raise TokenRefused("the token has expired; ask for a new one") from None
        except (jwt.PyJWTError, KeyError) as error:
            raise TokenRefused(f"the token is not valid here ({type(error).__name__})") from None

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys and time.monotonic() - self._asked_at > _REFETCH_AFTER_SECONDS:
            keys = jwt.PyJWKSet.from_dict(dict(await self._fetch())).keys
            self._keys = {key.key_id: key for key in keys if key.key_id}
            self._asked_at = time.monotonic()
        return self._keys[kid]

    async def _fetch_over_http(self) -> Jwks:
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                answer = await http.get(f"{self._issuer}/.well-known/jwks.json")
                answer.raise_for_status()
                body: Jwks = answer.json()
                return body
        except httpx.HTTPError as error:
            raise UnavailableError(f"the keys of {self._issuer} can't be fetched: {type(error).__name__}") from None
