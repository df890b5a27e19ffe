"""Short-lived credentials as the AWS SDK holds them: renewed through a callback before they expire."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from outrider_contracts.http import Credentials

CredentialSource = Callable[[], Credentials]
"""Gives fresh credentials; may be slow, may raise."""

# AWS SDKs begin to ask for new ones at most 15 minutes before the end; by then there must be some
_MARGIN = timedelta(minutes=15)


class RenewedCredentials:
    """The credentials at hand, fetched anew by the first caller who finds less than *margin* left on them.

    Where the source itself gives shorter sessions than the margin, they are kept for half their life.
    """

    def __init__(self, first: Credentials | None, source: CredentialSource, margin: timedelta = _MARGIN) -> None:
        self._source = source
        self._margin = margin
        self._lock = threading.Lock()
        self._current = first
        self._renew_at = self._due(first) if first else datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> Credentials:
        """Credentials that are still valid. Raises what the source raises once none are."""
        held = self._current
        if held is None or datetime.now(UTC) >= held.expires_at:
            with self._lock:
                return self._fresh()
        if datetime.now(UTC) < self._renew_at or not self._lock.acquire(blocking=False):
            return held  # the source may be slow: while somebody asks it, the others go on with these
        try:
            return self._fresh()
        finally:
            self._lock.release()

    def _fresh(self) -> Credentials:
        if self._current is None or datetime.now(UTC) >= self._renew_at:
            try:
                self._current = self._source()
            except Exception:
                if self._current is None or datetime.now(UTC) >= self._current.expires_at:
                    raise
                return self._current  # still good; the next caller asks again
            self._renew_at = self._due(self._current)
        return self._current

    def _due(self, credentials: Credentials) -> datetime:
        left = credentials.expires_at - datetime.now(UTC)
        return credentials.expires_at - min(self._margin, left / 2)


def sdk_form(credentials: Credentials) -> dict[str, str]:
    """As AWS SDKs read them from a container's credential endpoint."""
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
