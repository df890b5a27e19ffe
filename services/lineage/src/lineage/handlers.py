"""Which facts lineage hears, and what it answers: it keeps them, then says what they make final."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from outrider_bus.ports import Heard, Tx
from outrider_contracts import topics
from outrider_contracts.airflow import AirflowEvent
from outrider_contracts.environments import EnvironmentEvent
from outrider_contracts.event import Event
from outrider_contracts.keys import RunKey, TryKey
from outrider_contracts.lineage import EdgeAdded, Node
from outrider_contracts.tracing import run_traceparent

from lineage.domain import schema
from lineage.domain.facets import Json
from lineage.domain.fold import HEARD, fold
from lineage.domain.names import Names, NodeName
from lineage.domain.openlineage import Speaker
from lineage.domain.reports import Reported, fold_reports
from lineage.domain.said import Saying, plan_run_sayings, plan_sayings
from lineage.domain.tables import Changes, Row
from lineage.ports import Edge, Record, Teams

TOPICS = (AirflowEvent.topic, EnvironmentEvent.topic)
"""Shared topics, heard by group `lineage`; teams' inboxes are heard by `lineage-inbox`."""
HEARS = HEARD
OPENLINEAGE = "outrider.lineage.v1"


OpenRecord = Callable[[Tx], Record]
Traces = Mapping[str, str]
"""By record key of a run: the trace in which it was heard of."""


class Recorder:
    """Keeps facts and tells what they make final, in the transaction that the facts are worked off in."""

    def __init__(self, speaker: Speaker, teams: Teams, open_record: OpenRecord, settle: timedelta) -> None:
        self._speaker = speaker
        self._names: Names = speaker.names
        self._teams = teams
        self._open = open_record
        self._settle = settle

    async def keep(self, heard: Sequence[Heard[Event]], tx: Tx) -> None:
        """Merge what Airflow and storage said; tell new edges, and starts and ends that are final now."""
        changes = fold(self._names, (one.event for one in heard))
        new_edges = await self._open(tx).merge(changes)
        await self._tell_edges(tx, changes, new_edges, heard[0].origin.timestamp)
        traces = {one.event.traced_run(): one.envelope.traceparent for one in heard}
        await self._tell_runs(tx, (_run_key(row) for row in changes.rows(schema.RUNS)), traces)
        await self._tell_tries(tx, (_try_key(row) for row in changes.rows(schema.TRIES)), traces)

    async def keep_reports(self, heard: Sequence[Heard[Event]], tx: Tx) -> None:
        """Merge what teams' own jobs reported. It is kept and answered, never passed on as our word."""
        reports = [one.event.report for one in heard if isinstance(one.event, Reported)]
        granted = {
            (team, grant.from_, grant.output)
            for team in {report.team for report in reports}
            for grant in await self._teams.readable(team)
        }

        def readable(team: str, dataset: NodeName) -> bool:
            return (team, dataset.team, dataset.name) in granted

        changes = fold_reports(self._names, reports, readable)
        new_edges = await self._open(tx).merge(changes)
        await self._tell_edges(tx, changes, new_edges, heard[0].origin.timestamp)

    async def settle(self, tx: Tx) -> int:
        """Tell the ends whose seal has not come in time; gives how many tries were looked at."""
        due = await self._open(tx).take_due()
        if due:
            await self._tell_tries(tx, due, {}, waited=True)
        return len(due)

    async def _tell_edges(self, tx: Tx, changes: Changes, new: Iterable[Edge], heard_at: datetime) -> None:
        nodes = {row["id"]: row for row in changes.rows(schema.NODES)}
        edges = {(row["source"], row["target"]): row for row in changes.rows(schema.EDGES)}
        for source, target in new:
            edge = edges[(source, target)]
            basis = "run" if edge["ran"] else "declared" if edge["declared"] else "reported"
            first_at = edge["first_at"] or heard_at
            said = EdgeAdded.model_validate(
                {"source": _node(nodes[source]), "target": _node(nodes[target]), "basis": basis, "first_at": first_at}
            )
            copied = await self._has_topics(said.team_id())
            await tx.say(said, team_copies=copied)

    async def _tell_runs(self, tx: Tx, keys: Iterable[RunKey], traces: Traces) -> None:
        record = self._open(tx)
        runs = await record.runs(keys)
        said = await record.said([run.ol_run_id for run in runs])
        sayings = {saying: run for run in runs for saying in plan_run_sayings(run, said[run.ol_run_id]).sayings}
        for saying in _in_order(await record.say_once(sayings)):
            run = sayings[saying]
            await self._say(tx, run.run, saying, self._speaker.run_event(run, saying), traces)

    async def _tell_tries(self, tx: Tx, keys: Iterable[TryKey], traces: Traces, *, waited: bool = False) -> None:
        record = self._open(tx)
        tries = await record.tries(keys)
        said = await record.said([one.ol_run_id for one in tries])
        plans = [(one, plan_sayings(one, said[one.ol_run_id], waited=waited)) for one in tries]
        sayings = {saying: one for one, plan in plans for saying in plan.sayings}
        for saying in _in_order(await record.say_once(sayings)):
            one = sayings[saying]
            await self._say(tx, one.task, saying, self._speaker.try_event(one, saying), traces)
        waiting = {one.task for one, plan in plans if plan.wait}
        await record.wait_for_seals(waiting, self._settle)
        await record.stop_waiting({one.task for one in tries} - waiting)

    async def _say(self, tx: Tx, run: RunKey, saying: Saying, event: Json, traces: Traces) -> None:
        value = json.dumps(event, separators=(",", ":")).encode()
        trace = traces.get(run.record_key) or run_traceparent(run.record_key)
        headers = {"content-type": "application/json", "traceparent": trace}
        said_id = f"{saying.ol_run_id}/{saying.event_type}/{event['eventTime']}"
        key = self._speaker.key(run.team, run.dag_id)
        await tx.say_raw(OPENLINEAGE, key, value, headers, said_id)
        if await self._has_topics(run.team):
            await tx.say_raw(topics.team_events(run.team), key, value, headers, said_id)

    async def _has_topics(self, team: str) -> bool:
        return await self._teams.get(team) is not None


def _in_order(sayings: Iterable[Saying]) -> list[Saying]:
    first = {"START": 0}
    return sorted(sayings, key=lambda one: (one.at, first.get(one.event_type, 1), one.ol_run_id))


def _run_key(row: Row) -> RunKey:
    return RunKey.model_validate({name: row[name] for name in RunKey.model_fields})


def _try_key(row: Row) -> TryKey:
    return TryKey.model_validate({name: row[name] for name in TryKey.model_fields})


def _node(row: Row) -> Node:
    return Node.model_validate({**{n: row[n] for n in ("kind", "namespace", "name")}, "team": row["team"] or None})
