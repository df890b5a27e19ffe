"""Runs as storage knows them: several starts under one id, the newest of which counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from outrider_contracts.keys import RunKey


@dataclass(frozen=True)
class RunStart:
    """One start of a run. `fresh`: begun from nothing, so what an earlier run of this id wrote is not its own.

    `replayed`: only a replay has told of it.
    """

    run: RunKey
    run_started_at: datetime
    started: bool = False
    fresh: bool = False
    confirmed: bool = False
    run_after: datetime | None = None
    logical_date: datetime | None = None
    dag_version: str = ""
    outcome: Literal["success", "failed"] | None = None
    finished_at: datetime | None = None
    deleted_at: datetime | None = None
    absent_since: datetime | None = None
    heard_at: datetime | None = None
    replayed: bool = False

    @property
    def ended_at(self) -> datetime | None:
        """When it ended or was deleted; None while it is open."""
        return self.finished_at or self.deleted_at


def newest(starts: Sequence[RunStart]) -> RunStart | None:
    """The start that counts: a run that was reopened or created again is as open as its newest start."""
    return max(starts, key=lambda start: start.run_started_at, default=None)


def begun_at(starts: Sequence[RunStart], at: datetime) -> datetime | None:
    """The first start of the run that the start *at* belongs to: starts that reopened it belong together.

    None while that can't be told: a start that was not heard may reopen the run or begin it anew.
    """
    if not any(start.started and start.run_started_at == at for start in starts):
        return None
    return max((s.run_started_at for s in starts if s.fresh and s.run_started_at <= at), default=None)
