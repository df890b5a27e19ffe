"""What a task asks of storage over HTTP: its environment, credentials, a seal. Waits a bounded time, then says why."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn, Self, TypeVar

import httpx
from airflow.sdk.exceptions import AirflowException
from outrider_contracts.holdings import Environments
from outrider_contracts.http import (
    CarriedRequest,
    Credentials,
    CredentialsRequest,
    EnsureRequest,
    Environment,
    EnvironmentToken,
    NotReady,
    OutputAnswer,
    OutputRequest,
    Problem,
    SealRequest,
    SealResult,
    Standing,
    TokenRequest,
)
from outrider_contracts.keys import TaskKey
from outrider_contracts.model import Model

from outrider_airflow.connection import StorageAccess
from outrider_airflow.errors import (
    KILLED,
    EnvironmentRefused,
    EnvironmentUnavailable,
    InputAwaited,
    JobKilled,
    OutputNotStored,
)

A = TypeVar("A", bound=Model)

_LONGEST_PAUSE = 2.0
_ONE_ANSWER = 10.0
_MEANS = {
    "ensure": "make the environment ready",
    "seal": "seal the try",
    "credentials": "give new credentials",
    "token": "give a token for the pod",
    "carried": "hear how long carrying took",
    "sealed": "say whether an output is sealed",
}


class _NotYet(Exception):
    """The answer of this moment; ask again after `pause` seconds, or after a growing while."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


@dataclass
class StorageClient:
    """One task's dealings with storage. May be used from several threads.

    Every call waits up to *within* seconds for storage to be there and ready, then raises EnvironmentUnavailable.
    """

    access: StorageAccess
    traceparent: str = ""
    """The trace in which storage tells what it does for the task."""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=_ONE_ANSWER, trust_env=False))
    wait: Callable[[float], None] = time.sleep
    _token: str = field(default="", repr=False)
    _token_ends: float = 0.0

    def ensure(self, request: EnsureRequest, *, within: float) -> Environment:
        """The try's environment, ready. Raises EnvironmentRefused where storage says no."""
        return self._answer("ensure", request, Environment, within)

    def seal(self, request: SealRequest, *, within: float, is_killed: Callable[[], bool] = lambda: False) -> SealResult:
        """Put on record what the try wrote. Raises OutputNotStored where a required output is missing, JobKilled where
        the task is killed while it waits.
        """
        return self._answer("seal", request, SealResult, within, is_killed)

    def sealed(self, request: OutputRequest, *, within: float) -> OutputAnswer:
        """The parts of an output that are sealed now. Raises InputAwaited where there are none yet."""
        return self._answer("sealed", request, OutputAnswer, within)

    def credentials(self, request: CredentialsRequest, *, within: float) -> Credentials:
        """New credentials for a try that is not sealed."""
        return self._answer("credentials", request, Credentials, within)

    def carried(self, request: CarriedRequest) -> None:
        """Have people told how long carrying took. Asked once: that nobody hears it is no reason to end anything."""
        with suppress(AirflowException):
            self._answer("carried", request, Standing, 0.0)

    def token(self, request: TokenRequest, *, within: float) -> EnvironmentToken:
        """A token by which a pod's stagers act for the try."""
        return self._answer("token", request, EnvironmentToken, within)

    def environments(self, task: TaskKey, *, within: float) -> Environments:
        """What storage holds of a task instance and its other parts. Asked once."""
        asked = {name: getattr(task, name) for name in ("team", "dag_id", "run_id", "task_id")}
        url, ends = f"{self.access.url}/v1/environments", time.monotonic() + within
        try:
            headers = {"Authorization": f"Bearer {self._bearer(ends)}"}
            with _reaching(url):
                answer = self.http.get(url, params=asked, headers=headers, timeout=_timeout(ends))
            return _read(answer, Environments)
        except _NotYet as not_yet:
            raise EnvironmentUnavailable(f"storage did not say what it holds of {task.label}: {not_yet}") from not_yet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def _answer(
        self, act: str, body: Model, kind: type[A], within: float, is_killed: Callable[[], bool] = lambda: False
    ) -> A:
        url = f"{self.access.url}/v1/{'outputs' if act == 'sealed' else 'environments'}/{act}"
        ends = time.monotonic() + within
        growing = 0.1
        while True:
            try:
                return _read(self._post(url, body, ends), kind)
            except _NotYet as not_yet:
                growing = min(growing * 2, _LONGEST_PAUSE)
                left = ends - time.monotonic()
                if left <= 0:
                    raise EnvironmentUnavailable(
                        f"storage at {self.access.url} did not {_MEANS[act]} within {within:g} s: {not_yet}"
                    ) from not_yet.__cause__
                self.wait(min(growing if not_yet.pause is None else not_yet.pause, left))
                if is_killed():
                    raise JobKilled(KILLED) from not_yet

    def _post(self, url: str, body: Model, ends: float) -> httpx.Response:
        response = self._send(url, body, ends)
        if response.status_code == 401:  # the signing key may have changed under a token that looked good
            self._token_ends = 0.0
            response = self._send(url, body, ends)
        return response

    def _send(self, url: str, body: Model, ends: float) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._bearer(ends)}", "Content-Type": "application/json"}
        if self.traceparent:
            headers["traceparent"] = self.traceparent
        with _reaching(url):
            return self.http.post(
                url,
                content=body.model_dump_json(),
                headers=headers,
                timeout=_timeout(ends),
            )

    def _bearer(self, ends: float) -> str:
        if time.monotonic() >= self._token_ends:
            with _reaching(self.access.token_url):
                response = self.http.post(
                    self.access.token_url,
                    data={"grant_type": "client_credentials"},
                    auth=(self.access.client_id, self.access.client_secret),
                    timeout=_timeout(ends),
                )
            if response.status_code in (400, 401, 403):
                raise EnvironmentRefused(
                    f"{self.access.token_url} does not know {self.access.client_id!r} with this secret "
                    f"({response.status_code}). Fix: renew the Airflow connection, then clear the task"
                )
            if response.is_error:
                raise _NotYet(f"{self.access.token_url} answered {response.status_code}")
            try:
                given = response.json()
                self._token, seconds = str(given["access_token"]), float(given["expires_in"])
            except (ValueError, KeyError, TypeError):
                raise _NotYet(f"{self.access.token_url} answered {response.status_code} without a token") from None
            self._token_ends = time.monotonic() + max(seconds - 30, 0)
        return self._token


def _timeout(ends: float) -> float:
    return min(_ONE_ANSWER, max(ends - time.monotonic(), 0.2))


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise _NotYet(f"{url} cannot be reached ({error or type(error).__name__})") from error


def _read(response: httpx.Response, kind: type[A]) -> A:
    if response.status_code == 202:
        not_ready = _parsed(response, NotReady)
        if not_ready.until is not None or kind is OutputAnswer:
            raise InputAwaited(not_ready)
        raise _NotYet(f"waiting for {not_ready.waiting_for}", not_ready.retry_after_seconds)
    if response.is_success:
        return _parsed(response, kind)
    problem = _problem(response)
    if problem is None:
        raise _foreign(response)
    if response.is_client_error and response.status_code not in (408, 429):
        _refuse(problem)
    raise _NotYet(f"{response.status_code} {problem.message}")


def _parsed(response: httpx.Response, kind: type[A]) -> A:
    try:
        return kind.model_validate_json(response.content)
    except ValueError:
        raise _foreign(response) from None


def _foreign(response: httpx.Response) -> _NotYet:
    """Not storage's word, but that of something on the way."""
    return _NotYet(f"{response.status_code} {response.text[:200] or response.reason_phrase}")


def _problem(response: httpx.Response) -> Problem | None:
    try:
        return Problem.model_validate(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return None


def _refuse(problem: Problem) -> NoReturn:
    line = f"{problem.message} ({problem.code})"
    if problem.fix:
        line += f". Fix: {problem.fix}"
    if problem.code == "output-missing":
        raise OutputNotStored(line)
    raise EnvironmentRefused(line)
