"""What a stager asks of storage, in the name of its one try."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeVar

from outrider_contracts.http import Carried, Credentials, Environment, Standing
from outrider_contracts.model import Model

from outrider_stage.errors import Revoked, StoreUnavailable

M = TypeVar("M", bound=Model)

_LONGEST_PAUSE = 5.0
_ONE_ANSWER = 30.0


class StorageService:
    """Storage over HTTP. What is away is waited for, up to `within` seconds; a no is final."""

    def __init__(self, url: str, token: Callable[[], str], *, within: float) -> None:
        self._url, self._token, self._within = url, token, within
        # what the cluster's proxies are for, storage is not
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def environment(self) -> Environment:
        """What the try was given. Raises Revoked, StoreUnavailable."""
        return self._patiently("environment", Environment)

    def credentials(self) -> Credentials:
        """New credentials. Raises Revoked, StoreUnavailable."""
        return self._patiently("credentials", Credentials)

    def revoked(self) -> str | None:
        """Why nothing of the try counts any more; None where it does, or where storage can't be asked now."""
        try:
            standing = self._ask("standing", Standing)
        except Revoked as revoked:
            return str(revoked)
        except StoreUnavailable:
            return None
        return standing.reason or "revoked" if standing.revoked else None

    def carried(self, way: Literal["in", "out"], seconds: float, *, cold_bytes: int | None = None) -> None:
        """Have people told how long it took. That nobody hears it is no reason to end anything."""
        with suppress(Revoked, StoreUnavailable):
            self._ask("carried", Standing, Carried(way=way, seconds=seconds, cold_bytes=cold_bytes))

    def _patiently(self, what: str, kind: type[M]) -> M:
        ends, pause = time.monotonic() + self._within, 0.2
        while True:
            try:
                return self._ask(what, kind)
            except StoreUnavailable:
                if time.monotonic() + pause > ends:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _ask(self, what: str, kind: type[M], told: Model | None = None) -> M:
        url = f"{self._url}/v1/try/{what}"
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        body = told.model_dump_json().encode() if told else None
        request = urllib.request.Request(url, body, headers)  # noqa: S310
        try:
            with self._http.open(request, timeout=_ONE_ANSWER) as answer:
                return kind.model_validate_json(answer.read())
        except urllib.error.HTTPError as error:
            said = _said(error)
            reason = _reason(said)
            if reason is not None and error.code in (401, 403, 404, 409):
                raise Revoked(reason) from None
            words = reason or said.decode(errors="replace")[:200]
            raise StoreUnavailable(f"{url} answered {error.code}: {words}") from None
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailable(f"{url} cannot be reached ({error})") from error
        except ValueError as error:
            raise StoreUnavailable(f"{url} answered something else") from error


def _said(error: urllib.error.HTTPError) -> bytes:
    """The body of a no, as far as it came."""
    try:
        return error.read()
    except http.client.IncompleteRead as broken:
        return broken.partial
    except (OSError, http.client.HTTPException):
        return b""


def _reason(body: bytes) -> str | None:
    """Storage's own word; None where something on the way answered."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
