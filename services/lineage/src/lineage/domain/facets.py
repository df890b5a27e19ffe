"""The OpenLineage facets that are said, each with the published version it follows."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

Json = dict[str, Any]

PRODUCER = "urn:outrider:lineage"
_SPEC = "https://openlineage.io/spec/facets"


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _facet(key: str, schema: str, **values: object) -> Json:
    return {key: {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/{schema}", **values}}


def parent(run_id: UUID, job: Json) -> Json:
    """The DAG run a task ran in; it is the root too."""
    run = {"runId": str(run_id)}
    schema = "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet"
    return _facet("parent", schema, run=run, job=job, root={"run": run, "job": job})


def nominal_time(start: datetime | None, end: datetime | None) -> Json:
    """The data interval (end exclusive), or the logical date; nothing where Airflow gives none."""
    if start is None:
        return {}
    interval = {"nominalStartTime": instant(start)} | ({"nominalEndTime": instant(end)} if end is not None else {})
    return _facet("nominalTime", "1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet", **interval)


def processing_engine(name: str, version_: str, adapter: str) -> Json:
    """What ran the job."""
    schema = "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet"
    return _facet("processing_engine", schema, name=name, version=version_, openlineageAdapterVersion=adapter)


def tags(values: dict[str, object]) -> Json:
    """Airflow's own names of the run."""
    listed = [{"key": key, "value": str(value), "source": "AIRFLOW"} for key, value in values.items()]
    return _facet("tags", "1-0-0/TagsRunFacet.json#/$defs/TagsRunFacet", tags=listed)


def error(error_class: str) -> Json:
    """An error by its class alone: its words stay within the team."""
    schema = "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
    return _facet("errorMessage", schema, message=error_class, programmingLanguage="PYTHON")


def job_type(kind: str) -> Json:
    """DAG or TASK."""
    schema = "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
    return _facet("jobType", schema, processingType="BATCH", integration="AIRFLOW", jobType=kind)


def ownership(team: str) -> Json:
    """The team owns its jobs."""
    owners = [{"name": f"team:{team}", "type": "OWNER"}]
    return _facet("ownership", "1-0-1/OwnershipJobFacet.json#/$defs/OwnershipJobFacet", owners=owners)


def lineage(entries: list[Json]) -> Json:
    """Edges stated one by one, so that nobody has to multiply inputs by outputs."""
    return _facet("lineage", "1-0-0/LineageFacet.json#/$defs/LineageJobFacet", entries=entries)


def hierarchy(team: str, dag_id: str, task_id: str, output: str) -> Json:
    """Where a dataset stands: team, DAG, task, output."""
    levels = zip(("TEAM", "DAG", "TASK", "OUTPUT"), (team, dag_id, task_id, output), strict=True)
    listed = [{"type": type_, "name": name} for type_, name in levels]
    return _facet("hierarchy", "1-0-0/HierarchyDatasetFacet.json#/$defs/HierarchyDatasetFacet", hierarchy=listed)


def dataset_type(kind: str) -> Json:
    """What sort of dataset it is."""
    return _facet("datasetType", "1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet", datasetType=kind)


def version(path: str) -> Json:
    """The generation directory is the version: no two versions share it."""
    schema = "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
    return _facet("version", schema, datasetVersion=path.rstrip("/"))


def storage(file_format: str) -> Json:
    """The format of its files, in the word its producer declared."""
    schema = "1-0-1/StorageDatasetFacet.json#/$defs/StorageDatasetFacet"
    return _facet("storage", schema, storageLayer="outrider", fileFormat=file_format)


def subset(direction: str, partition: str) -> Json:
    """Which execution date (and map index) of a dataset was read or written."""
    date, _, part = partition.partition("/")
    dimensions = {"execution_date": date} | ({"map_index": part.removeprefix("m")} if part else {})
    condition = {"type": "partition", "partitions": [{"identifier": partition, "dimensions": dimensions}]}
    names = {"input": "InputSubsetInputDatasetFacet", "output": "OutputSubsetOutputDatasetFacet"}
    schema = f"1-0-0/BaseSubsetDatasetFacet.json#/$defs/{names[direction]}"
    return _facet("subset", schema, **{f"{direction}Condition": condition})


def output_statistics(size: int, files: int) -> Json:
    """Bytes and files written."""
    schema = "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"
    return _facet("outputStatistics", schema, size=size, fileCount=files)
