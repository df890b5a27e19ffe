"""What a task asks of storage, and what it says when the answer is not what it wants."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from operators.stand_in import StandIn
from outrider_airflow import client as client_module
from outrider_airflow.client import StorageClient
from outrider_airflow.connection import StorageAccess
from outrider_airflow.errors import EnvironmentRefused, EnvironmentUnavailable, OutputNotStored
from outrider_contracts.declarations import parse_declaration
from outrider_contracts.http import EnsureRequest, SealRequest
from outrider_contracts.keys import TryKey

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TASK = TryKey(team="ads", dag_id="daily", run_id="r", task_id="load", try_number=1)
ENSURE = EnsureRequest(task=TASK, run_started_at=NOW, run_after=NOW, declaration=parse_declaration("load"))
SEAL = SealRequest(task=TASK, run_started_at=NOW, outcome="success")


def no(status: int, code: str, message: str = "no", fix: str = "") -> tuple[int, dict[str, object]]:
    return status, {"error": {"code": code, "message": message, "fix": fix}}


def test_one_token_serves_many_questions(storage: StandIn) -> None:
    """The token endpoint is asked again only when the token is about to end."""
    with StorageClient(storage.access) as client:
        environment = client.ensure(ENSURE, within=5)
        client.seal(SEAL, within=5)

    assert environment.task == TASK
    assert storage.tokens == 1


def test_a_token_that_is_no_longer_good_is_replaced(storage: StandIn) -> None:
    """Keys are rotated; a long task must not fail for it."""
    with StorageClient(storage.access) as client:
        client.ensure(ENSURE, within=5)
        storage.tokens = 7
        client.seal(SEAL, within=5)

    assert storage.tokens == 8


def test_not_ready_is_asked_again(storage: StandIn) -> None:
    """As soon as storage says that it is worth it."""
    pauses: list[float] = []
    storage.ready["ensure"] += [(202, {"waiting_for": "the run's start", "retry_after_seconds": 0.25})] * 3

    with StorageClient(storage.access, wait=pauses.append) as client:
        client.ensure(ENSURE, within=60)

    assert pauses == [0.25] * 3


def test_waiting_has_a_bound_and_says_what_for(storage: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task fails as one that may be tried again."""
    monkeypatch.setattr(client_module, "_timeout", lambda _: 60.0)  # a busy stand-in is not one that is away
    storage.ready["ensure"] += [(202, {"waiting_for": "the team's bucket", "retry_after_seconds": 5})] * 9
    where = storage.access.url

    with StorageClient(storage.access) as client, pytest.raises(EnvironmentUnavailable) as failed:
        client.ensure(ENSURE, within=0.2)

    assert str(failed.value) == (
        f"storage at {where} did not make the environment ready within 0.2 s: waiting for the team's bucket"
    )


def test_a_no_is_final_and_carries_its_fix(storage: StandIn) -> None:
    """A retry would get the same answer, so Airflow is told not to try."""
    storage.ready["ensure"].append(no(409, "input-missing", "extract has not sealed orders", "clear extract"))

    with StorageClient(storage.access) as client, pytest.raises(EnvironmentRefused) as failed:
        client.ensure(ENSURE, within=5)

    assert str(failed.value) == "extract has not sealed orders (input-missing). Fix: clear extract"


def test_a_missing_output_is_said_as_such(storage: StandIn) -> None:
    """The job ended well but did not write what it declared."""
    storage.ready["seal"].append(no(409, "output-missing", "daily is not stored"))

    with StorageClient(storage.access) as client, pytest.raises(OutputNotStored, match="daily is not stored"):
        client.seal(SEAL, within=5)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_error_of_the_service_is_waited_out(storage: StandIn, status: int) -> None:
    """It may be restarting, or its database."""
    storage.ready["ensure"] += [no(status, "internal")] * 2

    with StorageClient(storage.access, wait=lambda _: None) as client:
        assert client.ensure(ENSURE, within=60).generation == 1


@pytest.mark.parametrize("status", [200, 202, 401, 403, 404])
def test_the_word_of_a_proxy_on_the_way_is_no_answer(storage: StandIn, status: int) -> None:
    """Only one in storage's own form is."""
    storage.ready["token"].append((200, {"detail": "default backend"}))
    storage.ready["ensure"] += [(status, {"detail": "default backend"})] * 2

    with StorageClient(storage.access, wait=lambda _: None) as client:
        assert client.ensure(ENSURE, within=60).generation == 1


def test_nobody_there_is_said_after_the_bound(storage: StandIn) -> None:
    """Connection refused at once, again and again, is still waited out up to the bound."""
    nowhere = StorageAccess("http://127.0.0.1:9", storage.access.token_url, "team-ads", "s3cret")
    began = time.monotonic()

    with StorageClient(nowhere) as client, pytest.raises(EnvironmentUnavailable, match="cannot be reached"):
        client.ensure(ENSURE, within=1)

    assert time.monotonic() - began < 15


def test_a_wrong_secret_is_final(storage: StandIn) -> None:
    """Asking again with the same secret would not help."""
    storage.ready["token"].append(no(401, "invalid_client"))

    with StorageClient(storage.access) as client, pytest.raises(EnvironmentRefused, match="does not know 'team-ads'"):
        client.ensure(ENSURE, within=5)


def test_the_secret_is_in_no_message(storage: StandIn) -> None:
    """Tracebacks with locals end in task logs."""
    with StorageClient(storage.access) as client:
        client.ensure(ENSURE, within=5)

        assert "s3cret" not in repr(client)
        assert "token-1" not in repr(client)


def test_what_storage_holds_of_a_task_is_asked_once(storage: StandIn) -> None:
    with StorageClient(storage.access) as client:
        assert client.environments(SEAL.task, within=5).environments == ()

    away = replace(storage.access, url="http://127.0.0.1:9")
    with StorageClient(away) as client, pytest.raises(EnvironmentUnavailable, match="holds of ads/daily/"):
        client.environments(SEAL.task, within=1)
