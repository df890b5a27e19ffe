"""A business no: what was asked may not be, why, and what to do about it."""

from datetime import datetime

from outrider_contracts.environments import Reason


class Refused(Exception):
    """The answer is no. `message` says what happened, `fix` what to do next."""

    def __init__(self, reason: Reason | str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.reason, self.message, self.fix = reason, message, fix


class Waiting(Exception):
    """The answer is not there yet; ask again. `waiting_for` names the wait, which has an end.

    *awaited*: the declared input whose author allows a long wait, until *until*.
    """

    def __init__(
        self, waiting_for: str, retry_after_seconds: float = 0.2, *, awaited: str | None = None,
        until: datetime | None = None,
    ) -> None:  # fmt: skip
        super().__init__(waiting_for)
        self.waiting_for, self.retry_after_seconds = waiting_for, retry_after_seconds
        self.awaited, self.until = awaited, until
