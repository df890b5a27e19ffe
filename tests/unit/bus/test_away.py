"""Which raw errors say that the database is away, so that they never make a dead letter."""

import socket

import asyncpg
import pytest
from outrider_bus.database import is_away, is_worth_repeating


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        ConnectionResetError(),
        socket.gaierror(),
        OSError("Multiple exceptions: [Errno 111] Connect call failed"),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    ],
)
def test_an_outage_is_recognised(error: Exception) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(),
        ValueError(),
        asyncpg.UniqueViolationError(),
        asyncpg.DataError(),
        asyncpg.InterfaceError("the server expects 2 arguments for this query, 1 was passed"),
    ],
)
def test_a_fault_of_the_work_is_no_outage(error: Exception) -> None:
    assert not is_away(error)


def test_a_deadlock_is_worth_another_try() -> None:
    assert is_worth_repeating(asyncpg.DeadlockDetectedError())
    assert not is_worth_repeating(asyncpg.UniqueViolationError())
