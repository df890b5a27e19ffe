"""Credentials are renewed in time, by the stager and by the job's own SDK."""

from datetime import UTC, datetime, timedelta

import pytest
from outrider_contracts.http import Credentials
from outrider_stage.credentials import RenewedCredentials, sdk_form


def credentials(name: str, seconds: float) -> Credentials:
    return Credentials(
        access_key_id=name,
        secret_access_key="secret",
        session_token="token",
        expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
    )


def test_credentials_with_time_left_are_kept() -> None:
    """Nobody asks storage again before there is a need."""
    first = credentials("first", 3600)

    kept = RenewedCredentials(first, lambda: credentials("second", 3600))

    assert kept() is first


def test_credentials_close_to_their_end_are_renewed_once() -> None:
    """The first caller within the margin fetches, the others find it done."""
    fetched: list[Credentials] = []

    def source() -> Credentials:
        fetched.append(credentials("second", 3600))
        return fetched[-1]

    kept = RenewedCredentials(credentials("first", 0), source)

    assert [kept().access_key_id for _ in range(3)] == ["second"] * 3
    assert len(fetched) == 1


def test_a_failed_renewal_is_no_failure_while_the_old_ones_last() -> None:
    """Storage may be restarting: what is still valid is given."""

    def away() -> Credentials:
        raise ConnectionError("storage is away")

    kept = RenewedCredentials(credentials("first", 200), away, margin=timedelta(hours=1))

    assert kept().access_key_id == "first"
    with pytest.raises(ConnectionError):
        RenewedCredentials(credentials("old", -1), away)()


def test_sdks_read_their_own_spelling() -> None:
    """The form of AWS's container credential endpoint."""
    given = sdk_form(credentials("name", 60))

    assert set(given) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert given["Expiration"].endswith("Z")
