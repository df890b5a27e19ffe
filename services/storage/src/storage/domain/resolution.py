"""Which versions a task's inputs are: decided over what is known of the producer, told in a producer's words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider_contracts.declarations import InputDeclaration
from outrider_contracts.environments import InputVersion, VersionKey
from outrider_contracts.holdings import EnvironmentState, VersionState
from outrider_contracts.keys import RunKey

from storage.domain.attempts import Wanted
from storage.domain.refusals import Refused


@dataclass(frozen=True)
class Candidate:
    """One version of the producer's output, whatever its state. `present`: its try succeeded and left a manifest."""

    version: VersionKey
    path: str
    run_started_at: datetime
    try_number: int | None
    run_after: datetime
    logical_date: datetime | None
    state: VersionState
    present: bool
    attempt_state: EnvironmentState
    retention: str
    reason: str = ""
    gone_at: datetime | None = None
    ended: str | None = None
    format: str | None = None

    @property
    def readable(self) -> bool:
        """Sealed by a try that succeeded, and still there."""
        return self.present and self.state == "sealed"

    def read(self, *, own_part: bool = False) -> InputVersion:
        """The version as its reader is told of it."""
        return InputVersion(version=self.version, path=self.path, format=self.format, own_part=own_part)

    @property
    def order(self) -> tuple[datetime, int]:
        """Versions of one task in the order their tries began; a generation nobody took comes before its tries."""
        return self.run_started_at, self.try_number or 0


def producing_run(wanted: Wanted, declared: InputDeclaration, candidates: Sequence[Candidate]) -> Sequence[RunKey]:
    """Runs of the producer that the input may mean, best first.

    `same`: the consumer's own. `latest`: by run_after, at most the consumer's. `same-date`: equal logical date.
    """
    if declared.selection == "same":
        return [wanted.task.run]
    if declared.selection == "same-date":
        if wanted.logical_date is None:
            raise Refused(
                "bad-declaration",
                f"input {declared.task}/{declared.output} asks for the same date, but this run has no logical date",
                'use run="latest", or start the run with a logical date',
            )
        chosen = [c for c in candidates if c.logical_date == wanted.logical_date]
    else:
        chosen = [c for c in candidates if c.run_after <= wanted.run_after]
    newest: dict[RunKey, tuple[datetime, datetime]] = {}
    for candidate in chosen:
        if candidate.readable:
            run = candidate.version.run
            newest[run] = max(newest.get(run, (candidate.run_after, candidate.run_started_at)),
                              (candidate.run_after, candidate.run_started_at))  # fmt: skip
    return sorted(newest, key=lambda run: newest[run], reverse=True)


def plan_parts(candidates: Sequence[Candidate], held: Collection[int] | None) -> tuple[InputVersion, ...] | None:
    """The current version of each part, None if a part has none.

    *candidates* are those of one run. *held*: the map indexes Airflow holds now, (-1,) or None where not mapped.
    """
    current = _current(candidates)
    if not held or tuple(held) == (-1,):
        wanted = set(current) or {-1}
        if held is not None and not held and not current:
            return ()  # a mapped task expanded over nothing: no parts, and none is missing
    else:
        wanted = {index for index in held if index >= 0}
    if not wanted <= set(current):
        return None
    return tuple(current[index].read() for index in sorted(wanted))


def own_part(candidates: Sequence[Candidate]) -> tuple[InputVersion, ...] | None:
    """The current version among those of one part, as the reading instance's own; None if it has none."""
    return next(((each.read(own_part=True),) for each in _current(candidates).values()), None)


def _current(candidates: Sequence[Candidate]) -> Mapping[int, Candidate]:
    parts: dict[int, Candidate] = {}
    for candidate in sorted(candidates, key=lambda c: c.order):
        if candidate.readable:
            parts[candidate.version.map_index] = candidate
    return parts


def is_mapped(candidates: Sequence[Candidate], declared_mapped: bool) -> bool:
    """Whether Airflow has to be asked for the parts."""
    return declared_mapped or any(candidate.version.map_index >= 0 for candidate in candidates)


def check_kept(wanted: Wanted, declared: InputDeclaration, candidates: Sequence[Candidate]) -> None:
    """Raises Refused (retention-conflict): what is kept for its run only can't be an input of another DAG."""
    foreign = (declared.team or wanted.task.team, declared.dag or wanted.task.dag_id) != (
        wanted.task.team, wanted.task.dag_id,
    )  # fmt: skip
    latest = max(candidates, key=lambda c: (c.run_after, c.order), default=None)
    if foreign and latest is not None and latest.retention == "run":
        name = f"{declared.dag}/{declared.task}/{declared.output}"
        raise Refused(
            "retention-conflict",
            f"{name} is kept for its run only, so {wanted.task.label} can't rely on it",
            f'give the output a longer retention in {declared.dag}: outputs={{"{declared.output}": '
            f'Output(retention="3d")}}',
        )
