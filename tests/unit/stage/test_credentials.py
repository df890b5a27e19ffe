"""Credentials are renewed in time, by the stager and by the job's own SDK."""

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

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


class Clock(datetime):
    """The time of day, and as much more as a test lets pass."""

    passed = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + cls.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """What the credentials look at."""
    monkeypatch.setattr("outrider_stage.credentials.datetime", Clock)
    monkeypatch.setattr(Clock, "passed", timedelta())
    return Clock


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


def test_a_failed_renewal_is_no_failure_while_the_old_ones_last(clock: type[Clock]) -> None:
    """Storage may be restarting: what is still valid is given."""

    asked: list[bool] = []

    def away() -> Credentials:
        asked.append(True)
        raise ConnectionError("storage is away")

    kept = RenewedCredentials(credentials("first", 600), away)
    assert kept().access_key_id == "first"
    assert not asked
    clock.passed = timedelta(seconds=301)
    assert kept().access_key_id == "first"

    assert asked
    with pytest.raises(ConnectionError):
        RenewedCredentials(credentials("old", -1), away)()


def test_sdks_read_their_own_spelling() -> None:
    """The form of AWS's container credential endpoint."""
    given = sdk_form(credentials("name", 60))

    assert set(given) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    assert given["Expiration"].endswith("Z")


def test_while_they_are_renewed_those_that_last_are_given(clock: type[Clock]) -> None:
    """An SDK waits a second or two for an answer; storage, where it is restarting, may take longer."""
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> Credentials:
        asked.set()
        assert go_on.wait(60)
        return credentials("second", 3600)

    kept = RenewedCredentials(credentials("first", 600), slow)
    clock.passed = timedelta(seconds=301)

    def use_until_renewed() -> str:
        while not asked.is_set():
            kept()
        return kept().access_key_id

    with ThreadPoolExecutor(2) as pool:
        users = [pool.submit(use_until_renewed) for _ in range(2)]
        try:
            assert {one.result(timeout=30) for one in wait(users, timeout=30, return_when=FIRST_COMPLETED).done} == {
                "first"
            }
        finally:
            go_on.set()
        assert {one.result(timeout=30) for one in users} == {"first", "second"}
