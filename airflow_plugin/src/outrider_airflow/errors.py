"""How an environment task fails, as Airflow understands it: with or without a retry, in one clear line."""

from collections.abc import Iterable
from typing import Self

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from outrider_contracts.http import NotReady

KILLED = "the job was ended from outside; nothing of it is kept"
_LONGEST_LINE = 1000


class EnvironmentRefused(AirflowFailException):
    """Storage says no for a reason that a retry does not change."""


class InputAwaited(Exception):
    """A declared input is not sealed yet, and its declaration allows a wait that no worker should spend."""

    def __init__(self, not_ready: NotReady) -> None:
        super().__init__(not_ready.waiting_for)
        self.not_ready = not_ready


class EnvironmentUnavailable(AirflowException):
    """Storage did not answer, or was not ready, within the time allowed. A retry may help."""


class InputNotStaged(AirflowException):
    """An input's files could not be brought to the job."""


class OutputNotStored(AirflowException):
    """The job ended well, but not everything it had to write is stored."""


class JobFailed(AirflowException):
    """The job ended with an exit code other than 0, or could not be started."""

    @classmethod
    def saying(cls, how: str, last_lines: Iterable[str]) -> Self:
        """With what the job said last; a line may be as long as the job likes, an error may not."""
        return cls("\n".join((f"{how}; its last lines:", *(line[:_LONGEST_LINE] for line in last_lines))))


class JobKilled(AirflowException):
    """The job was ended from outside before it was done."""


class NoRoom(AirflowFailException):
    """The namespace's quota can never hold what the job needs."""


class NoRoomNow(AirflowException):
    """The namespace's quota could hold what the job needs, but others hold too much of it. A retry may help."""
