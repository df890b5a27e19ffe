"""Asks storage and lineage with the API server's own client. Its secret is a file that the API server alone is told."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from outrider_contracts.holdings import MOST_OF_A_RUN, Environments
from outrider_contracts.keys import RunKey
from outrider_contracts.runs import RunAnswer

from outrider_airflow.settings import Settings

_ONE_ANSWER = 15.0


class Away(Exception):
    """A service can't be asked now; the message says which and what to do."""


@dataclass
class Services:
    """Storage and lineage, as team *seen_by* would see them. May be used from several threads."""

    settings: Settings
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=_ONE_ANSWER, trust_env=False))
    _token: str = field(default="", repr=False)
    _token_ends: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def environments(self, run: RunKey, seen_by: str | None) -> Environments:
        """What storage knows of the run."""
        return Environments.model_validate(self._ask(self.settings.storage_url, "/v1/environments", _of(run), seen_by))

    def run(self, run: RunKey, seen_by: str | None) -> RunAnswer | None:
        """What lineage knows of the run; None where it never heard of it."""
        wanted = {**_of(run), "readers": "true", "limit": str(MOST_OF_A_RUN)}
        answer = self._ask(self.settings.lineage_url, "/v1/runs", wanted, seen_by)
        return None if answer is None else RunAnswer.model_validate(answer)

    def graph(self, direction: str, node: str, depth: int, seen_by: str | None) -> dict[str, Any]:
        """What lies up- or downstream of a task; nothing where it is not known."""
        wanted = {"node": node, "depth": str(depth), "limit": "300"}
        answer = self._ask(self.settings.lineage_url, f"/v1/lineage/{direction}", wanted, seen_by)
        return answer or {"root": None, "nodes": [], "edges": [], "truncated": False}

    def _ask(self, base: str, path: str, parameters: dict[str, str], seen_by: str | None) -> dict[str, Any] | None:
        """The JSON answer; None for 404."""
        given = {**parameters, **({"seen_by": seen_by} if seen_by else {})}
        try:
            answer = self._get(base + path, given)
            if answer.status_code == 401:  # the signing key may have changed under a token that looked good
                self._token_ends = 0.0
                answer = self._get(base + path, given)
        except httpx.TransportError as error:
            raise Away(
                f"{base} cannot be reached ({type(error).__name__}); `outrider status` tells how it stands"
            ) from None
        if answer.status_code == 404:
            return None
        if not answer.is_success:
            raise Away(f"{base} answered {answer.status_code}; its log says why")
        found: dict[str, Any] = answer.json()
        return found

    def _get(self, url: str, parameters: dict[str, str]) -> httpx.Response:
        return self.http.get(url, params=parameters, headers={"Authorization": f"Bearer {self._bearer()}"})

    def _bearer(self) -> str:
        with self._lock:
            if time.monotonic() >= self._token_ends:
                site = self.settings
                try:
                    secret = Path(site.tabs_secret_file).read_text().strip()
                except OSError as error:
                    raise Away(f"[outrider] tabs_secret_file cannot be read ({error.strerror})") from None
                answer = self.http.post(
                    site.token_url, data={"grant_type": "client_credentials"}, auth=(site.tabs_client_id, secret)
                )
                if not answer.is_success:
                    raise Away(f"{site.token_url} does not know client {site.tabs_client_id!r} ({answer.status_code})")
                given = answer.json()
                self._token = given["access_token"]
                self._token_ends = time.monotonic() + max(float(given["expires_in"]) - 30, 0)
            return self._token


def _of(run: RunKey) -> dict[str, str]:
    return {"team": run.team, "dag_id": run.dag_id, "run_id": run.run_id}
