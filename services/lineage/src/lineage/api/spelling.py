"""From what is known to what is answered, for one viewer."""

from collections.abc import Sequence

from outrider_contracts.runs import ReaderAnswer, RunAnswer, StartAnswer, TryAnswer, VersionAnswer

from lineage.api.answers import (
    EdgeAnswer,
    GraphAnswer,
    NodeAnswer,
    ReportedRunAnswer,
    VersionStateAnswer,
)
from lineage.domain.history import Reader, ReportedRun, RunHistory, VersionState
from lineage.domain.tries import Run, Try, Version
from lineage.domain.walk import GraphNode, SeenNode, Viewer, Walk


def graph_answer(walk: Walk, root: str | None = None, *, cut: bool = False) -> GraphAnswer:
    """What was seen on a walk."""
    edges = [
        EdgeAnswer(
            source=seen.source, target=seen.target, ran=seen.edge.ran, declared=seen.edge.declared,
            reported=seen.edge.reported, last_at=seen.edge.last_at,
        )
        for seen in walk.edges.values()
    ]  # fmt: skip
    return GraphAnswer(
        root=root, direction=walk.direction, nodes=[seen_answer(seen) for seen in walk.nodes.values()], edges=edges,
        truncated=walk.truncated or cut,
    )  # fmt: skip


def seen_answer(seen: SeenNode) -> NodeAnswer:
    """A node as it is shown."""
    if seen.node is None:
        label = f"{seen.team} (another team)"
        return NodeAnswer.model_validate(
            {"id": seen.id, "kind": seen.kind, "team": seen.team, "label": label, "level": seen.level, "masked": True}
        )
    return node_answer(seen.node, seen.level)


def node_answer(node: GraphNode, level: int = 0) -> NodeAnswer:
    """A node in full."""
    name = node.name
    return NodeAnswer(
        id=str(node.id), kind=name.kind, team=name.team, label=name.label, level=level,
        outside=name.kind == "dataset" and not name.output, namespace=name.namespace, name=name.name,
        dag_id=name.dag_id, task_id=name.task_id, output=name.output, operator=node.operator, last_at=node.last_at,
    )  # fmt: skip


def run_answer(history: RunHistory, viewer: Viewer, readers: Sequence[Reader] = ()) -> RunAnswer:
    """A run with its tries, and who reads what it wrote."""
    return RunAnswer(
        team=history.run.team, dag_id=history.run.dag_id, run_id=history.run.run_id, state=history.state,
        starts=[start_answer(run) for run in history.starts], tries=[try_answer(one, viewer) for one in history.tries],
        truncated=history.truncated, readers=[_reader(one, viewer) for one in readers],
    )  # fmt: skip


def start_answer(run: Run) -> StartAnswer:
    """One start of a run."""
    return StartAnswer(
        team=run.run.team, dag_id=run.run.dag_id, run_id=run.run.run_id, openlineage_run_id=run.ol_run_id,
        started_at=run.run_started_at, ended_at=run.end.at if run.end else None, state=run.state,
        clear_number=run.clear_number, run_type=run.run_type, logical_date=run.logical_date, deleted_at=run.deleted_at,
    )  # fmt: skip


def try_answer(one: Try, viewer: Viewer) -> TryAnswer:
    """A try."""
    task = one.task
    return TryAnswer(
        team=task.team, dag_id=task.dag_id, run_id=task.run_id, task_id=task.task_id, map_index=task.map_index,
        try_number=task.try_number, run_started_at=one.run_started_at, openlineage_run_id=one.ol_run_id,
        state=one.state, started_at=one.started_at, ended_at=one.end.at if one.end else None, operator=one.operator,
        error_class=one.end.error_class if one.end else "", refusal=one.refusal,
        sealed=one.seal.outcome if one.seal else "", inputs=[_version(v, viewer) for v in one.reads],
        outputs=[_version(v, viewer) for v in one.writes],
    )  # fmt: skip


def _reader(reader: Reader, viewer: Viewer) -> ReaderAnswer:
    seen = viewer.sees(reader.job)
    return ReaderAnswer(
        task_id=reader.output.task_id, output=reader.output.output, team=reader.job.team,
        job=reader.job.label if seen else None, declared=reader.declared, ran=reader.ran, last_at=reader.last_at,
        tries=reader.tries if seen else (), tries_in_all=len(reader.tries),
    )  # fmt: skip


def _version(version: Version, viewer: Viewer) -> VersionAnswer:
    if not viewer.sees(version.node):
        return VersionAnswer(name=version.name, dataset=None, team=version.node.team)
    return VersionAnswer(
        name=version.name, dataset=version.node.label, team=version.node.team, generation=version.generation or None,
        partition=version.partition, path=version.path, files=version.files, bytes=version.bytes,
    )  # fmt: skip


def version_state_answer(version: VersionState) -> VersionStateAnswer:
    """A version and what became of it."""
    gone = version.cleared_at or (version.doomed_at if version.state == "doomed" else None)
    return VersionStateAnswer(
        run_id=version.run_id, map_index=version.map_index, generation=version.generation, path=version.path,
        state=version.state, sealed_at=version.sealed_at, not_kept_since=gone, files=version.files,
        bytes=version.bytes, readers=version.readers,
    )  # fmt: skip


def reported_answer(run: ReportedRun) -> ReportedRunAnswer:
    """A run a team reported."""
    return ReportedRunAnswer(
        team=run.team, openlineage_run_id=run.ol_run_id, job=f"{run.namespace.rstrip('/')}/{run.name}", state=run.state,
        started_at=run.started_at, ended_at=run.ended_at, inputs=list(run.inputs), outputs=list(run.outputs),
    )  # fmt: skip
