"""What teams' own jobs report: stock OpenLineage, written to the team's inbox. The topic is the identity.

A report may announce and describe the team's own runs. It may not speak for another team's jobs or datasets, and a
foreign dataset it claims to have read counts only where a grant lets the team read it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider_contracts.event import Event

from lineage.domain import schema
from lineage.domain.names import Names, NodeName
from lineage.domain.tables import Changes

Readable = Callable[[str, NodeName], bool]
"""Whether a team may read another team's dataset."""

_TERMINAL = ("COMPLETE", "FAIL", "ABORT")
NOT_GRANTED = "not granted"


@dataclass(frozen=True)
class Named:
    """A job or dataset as OpenLineage names it."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Report:
    """A run event, or a job event where there is no run, of one team's job."""

    team: str
    at: datetime
    job: Named
    event_type: str = "OTHER"
    run_id: UUID | None = None
    parent_run_id: UUID | None = None
    inputs: tuple[Named, ...] = ()
    outputs: tuple[Named, ...] = ()


class Reported(Event):
    """A report as the bus hands it over. Not registered as a type: it is no fact of ours and is never said."""

    team: str
    digest: str
    report: Report

    def key(self) -> str:
        return self.team

    def identity(self) -> tuple[object, ...]:
        return (self.team, self.digest)


class ImpostorError(ValueError):
    """The report speaks for another team."""


def check_speaker(names: Names, report: Report) -> None:
    """Raises ImpostorError for a report on another team's job, or on what another team's dataset was made from."""
    for spoken in (report.job, *report.outputs):
        owner = names.owner(spoken.namespace)
        if owner not in (None, report.team):
            raise ImpostorError(
                f"team {report.team} may not report on {spoken.namespace}/{spoken.name}, which belongs to team {owner}"
            )


def fold_reports(names: Names, reports: Iterable[Report], readable: Readable) -> Changes:
    """Everything *reports* say, as rows to merge."""
    changes = Changes()
    for report in reports:
        _fold(names, report, readable, changes)
    return changes


def _fold(names: Names, report: Report, readable: Readable, changes: Changes) -> None:
    at = report.at
    job = NodeName("job", report.team, report.job.namespace, report.job.name)
    _node(changes, job, at)
    if report.run_id is not None:
        ended = report.event_type in _TERMINAL
        changes.add(
            schema.REPORTED_RUNS, team=report.team, ol_run_id=report.run_id, job=job.id, last_at=at,
            started_at=at if report.event_type == "START" else None, end_at=at if ended else None,
            end_state=report.event_type if ended else "", parent_run_id=report.parent_run_id,
        )  # fmt: skip
    for direction, named in [("input", n) for n in report.inputs] + [("output", n) for n in report.outputs]:
        dataset = _dataset(names, named)
        granted = dataset.team in ("", report.team) or readable(report.team, dataset)
        if report.run_id is not None:
            changes.add(
                schema.REPORTED_IO, team=report.team, ol_run_id=report.run_id, job=job.id, direction=direction,
                dataset=dataset.id, note="" if granted else NOT_GRANTED,
            )  # fmt: skip
        if not granted:
            continue
        _node(changes, dataset, at)
        source, target = (dataset, job) if direction == "input" else (job, dataset)
        changes.add(
            schema.EDGES, source=source.id, target=target.id, team=report.team, job=job.id, reported=True,
            first_at=at, last_at=at,
        )  # fmt: skip


def _dataset(names: Names, named: Named) -> NodeName:
    owner = names.owner(named.namespace) or ""
    dag_id, task_id, output = "", "", ""
    if owner and named.namespace == names.namespace(owner) and named.name.count("/") == 2:
        dag_id, task_id, output = named.name.split("/")
    return NodeName("dataset", owner, named.namespace, named.name, dag_id, task_id, output)


def _node(changes: Changes, node: NodeName, at: datetime) -> None:
    changes.add(
        schema.NODES, id=node.id, kind=node.kind, team=node.team, namespace=node.namespace, name=node.name,
        dag_id=node.dag_id, task_id=node.task_id, output=node.output, first_at=at, last_at=at,
    )  # fmt: skip
