"""OpenLineage run events out of tries and runs. Source: OpenLineage 2-0-2 and the facet versions named in `facets`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lineage.domain import facets
from lineage.domain.facets import Json
from lineage.domain.names import Names, NodeName
from lineage.domain.said import Saying
from lineage.domain.tries import Run, Try, Version

_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


@dataclass(frozen=True)
class Speaker:
    """Spells sayings as OpenLineage. Equal facts give equal events: nothing in them comes from a clock."""

    names: Names
    airflow_version: str
    adapter_version: str

    def try_event(self, attempt: Try, saying: Saying) -> Json:
        """The event of a try."""
        task = attempt.task
        job = self.names.job(task.team, task.dag_id, task.task_id)
        parent = {"namespace": job.namespace, "name": task.dag_id}
        run: Json = {
            **self._engine(),
            **facets.nominal_time(attempt.logical_date, None),
            **facets.tags({"run_id": task.run_id, "map_index": task.map_index, "try_number": task.try_number}),
        }
        if attempt.parent_run_id is not None:
            run |= facets.parent(attempt.parent_run_id, parent)
        if saying.event_type in ("FAIL", "ABORT") and attempt.end is not None and attempt.end.error_class:
            run |= facets.error(attempt.end.error_class)
        described: Json = {**facets.job_type("TASK"), **facets.ownership(task.team)}
        event = self._event(saying, run, {"namespace": job.namespace, "name": job.name, "facets": described})
        if saying.sealed and attempt.seal is not None:
            succeeded = attempt.seal.outcome == "success"
            writes = attempt.writes if succeeded else ()
            event["inputs"] = [_input(version) for version in _sorted(attempt.reads)]
            event["outputs"] = [_output(version) for version in _sorted(writes)]
            described |= facets.lineage(_edges(attempt, writes))
        return event

    def run_event(self, run: Run, saying: Saying) -> Json:
        """The event of a DAG run."""
        described: Json = {**facets.job_type("DAG"), **facets.ownership(run.run.team)}
        start = run.data_interval_start or run.logical_date
        told: Json = {
            **self._engine(),
            **facets.nominal_time(start, run.data_interval_end),
            **facets.tags({"run_id": run.run.run_id, "clear_number": run.clear_number, "run_type": run.run_type}),
        }
        job = {"namespace": self.names.namespace(run.run.team), "name": run.run.dag_id, "facets": described}
        return self._event(saying, told, job)

    def key(self, team: str, dag_id: str) -> str:
        """The record key the OpenLineage client's Kafka transport gives to events of a DAG: its root job's name."""
        return f"run:{self.names.namespace(team)}/{dag_id}"

    def _engine(self) -> Json:
        return facets.processing_engine("Airflow", self.airflow_version, self.adapter_version)

    def _event(self, saying: Saying, run_facets: Json, job: Json) -> Json:
        return {
            "eventType": saying.event_type,
            "eventTime": facets.instant(saying.at),
            "producer": facets.PRODUCER,
            "schemaURL": _SCHEMA,
            "run": {"runId": str(saying.ol_run_id), "facets": run_facets},
            "job": job,
            "inputs": [],
            "outputs": [],
        }


def _sorted(versions: Sequence[Version]) -> list[Version]:
    return sorted(versions, key=lambda v: (v.node.namespace, v.node.name, v.path, v.generation, v.name))


def _dataset(version: Version) -> Json:
    node = version.node
    described: Json = {}
    if node.output:
        described |= facets.hierarchy(node.team, node.dag_id, node.task_id, node.output)
        described |= facets.dataset_type("JOB_OUTPUT")
    if version.path:
        described |= facets.version(version.path)
    return {"namespace": node.namespace, "name": node.name, "facets": described}


def _input(version: Version) -> Json:
    subset = facets.subset("input", version.partition) if version.partition else {}
    return {**_dataset(version), "inputFacets": subset}


def _output(version: Version) -> Json:
    subset = facets.subset("output", version.partition) if version.partition else {}
    if version.bytes is not None and version.files is not None and version.generation:
        subset |= facets.output_statistics(version.bytes, version.files)
    told = _dataset(version)
    if version.format:
        told["facets"] |= facets.storage(version.format)
    return {**told, "outputFacets": subset}


def _edges(attempt: Try, writes: Sequence[Version]) -> list[Json]:
    """The edges themselves: what flowed into each output, and what the run itself took, from which jobs."""
    read = _distinct(version.node for version in _sorted(attempt.reads))
    inputs = [{"type": "DATASET", "namespace": node.namespace, "name": node.name} for node in read]
    producers = _distinct(
        NodeName("job", node.team, node.namespace, f"{node.dag_id}.{node.task_id}") for node in read if node.output
    )
    jobs = [{"type": "JOB", "namespace": job.namespace, "name": job.name} for job in producers]
    own = {"type": "JOB", "runId": str(attempt.ol_run_id), "inputs": [*inputs, *jobs]}
    written = _distinct(version.node for version in _sorted(writes))
    entries = [
        {"type": "DATASET", "namespace": node.namespace, "name": node.name, "inputs": [*inputs, {"type": "JOB"}]}
        for node in written
    ]
    return [own, *entries]


def _distinct(nodes: Iterable[NodeName]) -> list[NodeName]:
    return list(dict.fromkeys(nodes))
