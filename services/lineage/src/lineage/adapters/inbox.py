"""Decodes what teams write into their inboxes: stock OpenLineage JSON, without CloudEvents headers."""

import hashlib
import json
from typing import Annotated, Any, Literal
from uuid import UUID

from outrider_bus.records import RawRecord
from outrider_contracts.envelope import Envelope, UndecodableError
from outrider_contracts.event import Event
from outrider_contracts.model import Instant, Model
from outrider_contracts.topics import team_of_topic
from pydantic import Field, ValidationError

from lineage.domain.names import Names
from lineage.domain.reports import ImpostorError, Named, Report, Reported, check_speaker

_Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]


class _Named(Model):
    namespace: _Text
    name: _Text

    def named(self) -> Named:
        return Named(self.namespace, self.name)


class _Run(Model):
    run_id: UUID = Field(alias="runId")
    facets: dict[str, Any] = Field(default_factory=dict)

    def parent(self) -> UUID | None:
        try:
            return UUID(str(self.facets["parent"]["run"]["runId"]))
        except (KeyError, TypeError, ValueError):
            return None


class _Spoken(Model):
    event_type: Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"] = Field("OTHER", alias="eventType")
    event_time: Instant = Field(alias="eventTime")
    run: _Run | None = None
    job: _Named
    inputs: tuple[_Named, ...] = ()
    outputs: tuple[_Named, ...] = ()


class InboxDecoder:
    """Reads a record of a team's inbox; the topic says whose word it is."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def __call__(self, record: RawRecord) -> tuple[Envelope, Event] | None:
        """The report. None for what is no run or job event; UndecodableError, stage "impostor", for another's word."""
        team = team_of_topic(record.topic)
        if team is None:
            raise UndecodableError("headers", f"{record.topic} is no team's topic")
        if record.value is None:
            raise UndecodableError("value", "the record has no value")
        try:
            said = json.loads(record.value)
        except ValueError as error:
            raise UndecodableError("value", f"no JSON: {error}") from None
        if not isinstance(said, dict):
            raise UndecodableError("value", "the value is no JSON object")
        if "job" not in said:  # a dataset event, or a fact of another kind: nothing to merge yet
            return None
        try:
            report = _report(team, _Spoken.model_validate(said))
            check_speaker(self._names, report)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            raise UndecodableError("validate", faults) from None
        except ImpostorError as error:
            raise UndecodableError("impostor", str(error)) from None
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        event = Reported(team=team, digest=hashlib.sha256(canonical).hexdigest(), report=report)
        return Envelope(id=event.id, type="openlineage", source=record.topic, time=report.at), event


def _report(team: str, said: _Spoken) -> Report:
    return Report(
        team=team,
        at=said.event_time,
        job=said.job.named(),
        event_type=said.event_type,
        run_id=said.run.run_id if said.run else None,
        parent_run_id=said.run.parent() if said.run else None,
        inputs=tuple(dataset.named() for dataset in said.inputs),
        outputs=tuple(dataset.named() for dataset in said.outputs),
    )
