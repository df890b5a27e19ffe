"""Where the platform is and who asks: from the local stack's home, or from `OUTRIDER_*` variables elsewhere."""

import os
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from outrider_local import identities, kafka, service_settings
from outrider_local.stack import Stack

T = TypeVar("T")
_TOKEN_PATH = "/v1/token"  # noqa: S105
_LOOK_SECONDS = 1.0
_ABSENCE_SECONDS = 120.0


class NotConnected(Exception):
    """A service could not be reached or refused; the message says what to do next."""


class Missing(NotConnected):
    """The service has nothing of what was asked for."""


@dataclass(frozen=True)
class Connection:
    """Addresses of the services, and a client's id with the file that holds its secret."""

    urls: Mapping[str, str]
    client_id: str
    secret_file: Path
    kafka: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """The administrator's connection to a stack of this machine."""
        return cls(
            urls={
                service: service_settings.url(stack, service) for service in ("tenancy", "storage", "lineage", "sweep")
            },
            client_id="cli",
            secret_file=identities.client_secret(stack.secrets, "cli"),
            kafka=kafka.client_config(stack, "operator"),
        )

    @classmethod
    def find(cls, home: Path | None = None) -> Self:
        """As `OUTRIDER_TENANCY_URL` and its like say, else the local stack at *home*. Raises NotConnected."""
        if "OUTRIDER_TENANCY_URL" not in os.environ:
            return cls.of(Stack.open(home))
        services = ("tenancy", "storage", "lineage", "sweep")
        secret_file = Path(os.environ.get("OUTRIDER_CLIENT_SECRET_FILE", "client-secret"))
        password = _secret(Path(os.environ.get("OUTRIDER_KAFKA_PASSWORD_FILE", os.devnull)))
        security = {
            "security.protocol": os.environ.get("OUTRIDER_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": os.environ.get("OUTRIDER_KAFKA_USERNAME", ""),
            "sasl.password": password,
        }
        return cls(
            urls={service: os.environ.get(f"OUTRIDER_{service.upper()}_URL", "") for service in services},
            client_id=os.environ.get("OUTRIDER_CLIENT_ID", "cli"),
            secret_file=secret_file,
            kafka={"bootstrap.servers": os.environ.get("OUTRIDER_KAFKA", ""), **(security if password else {})},
        )

    def ask(self, service: str, path: str, method: str = "GET", **options: Any) -> Any:
        """The JSON answer of *service*. Raises NotConnected with the service's own message and fix."""
        url = self.urls[service] + path
        try:
            with httpx.Client(auth=_Bearer(self), timeout=30.0, trust_env=False) as client:
                answer = client.request(method, url, **options)
        except UnicodeEncodeError:
            raise NotConnected("a word of the command is no text (UTF-8), so nothing was asked") from None
        except httpx.TransportError as error:
            silent = "tenancy" if error.request.url.path == _TOKEN_PATH else service  # who gives tokens is asked first
            raise NotConnected(
                f"{silent} does not answer at {self.urls[silent]} ({type(error).__name__}); see `outrider status`"
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise (Missing if answer.status_code == 404 else NotConnected)(_problem(service, answer))


def outlasting(ask: Callable[[], T]) -> T:
    """What *ask* gives, for whoever follows something for long: a service that is started anew is waited for."""
    ends = time.monotonic() + _ABSENCE_SECONDS
    while True:
        try:
            return ask()
        except Missing:
            raise
        except NotConnected:
            if time.monotonic() > ends:
                raise
        time.sleep(_LOOK_SECONDS)


class _Bearer(httpx.Auth):
    """Fetches a token by OAuth2 client credentials before the first request."""

    requires_response_body = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() >= self._until:
            basic = httpx.BasicAuth(self._connection.client_id, _secret(self._connection.secret_file))
            url = self._connection.urls["tenancy"] + _TOKEN_PATH
            wanted = httpx.Request("POST", url, data={"grant_type": "client_credentials"})
            answer = yield next(basic.auth_flow(wanted))
            if not answer.is_success:
                raise NotConnected(_problem("tenancy", answer))
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + float(answer.json()["expires_in"]) - 30
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def _secret(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise NotConnected(f"the file with a secret, {file}, can't be read: {error.strerror}") from None


def _problem(service: str, answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
        return f"{service}: {error['message']}" + (f"; {error['fix']}" if error.get("fix") else "")
    except (ValueError, KeyError, TypeError):
        return f"{service} answered {answer.status_code}: {answer.text[:300]}"
