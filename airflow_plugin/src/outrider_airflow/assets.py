"""Facts of assets, built from what the dag-processor and the API server hold of them."""

from datetime import UTC, datetime
from typing import Any

from outrider_contracts.airflow import AssetChanged, AssetCreated
from outrider_contracts.event import Event
from outrider_contracts.keys import TaskKey
from outrider_contracts.names import PLATFORM

from outrider_airflow import whose
from outrider_airflow.reach import reach


def created(asset: Any) -> tuple[Event, ...]:
    """An asset is known from now on."""
    said = AssetCreated(name=str(asset.name), uri=str(asset.uri), group=str(asset.group), created_at=datetime.now(UTC))
    return (said,)


def alias_created(alias: Any) -> tuple[Event, ...]:
    """An alias is known from now on."""
    said = AssetCreated(name=str(alias.name), group=str(alias.group), alias=True, created_at=datetime.now(UTC))
    return (said,)


def changed(event: Any) -> tuple[Event, ...]:
    """An asset event is on record; by a task, or by another system over REST."""
    binding = whose.of_dag(event.source_dag_id) if event.source_dag_id else None
    if event.source_dag_id and binding is None:
        return ()
    said = AssetChanged(
        team=binding.team if binding else PLATFORM,
        task=_task(event, binding.team) if binding else None,
        name=str(event.asset.name),
        uri=str(event.asset.uri),
        group=str(event.asset.group),
        aliases=tuple(sorted(str(alias.name) for alias in event.source_aliases)),
        partition_key=reach(event, "partition_key"),
        changed_at=datetime.now(UTC),
    )
    return (said,)


def _task(event: Any, team: str) -> TaskKey:
    return TaskKey(
        team=team,
        dag_id=event.source_dag_id,
        run_id=event.source_run_id,
        task_id=event.source_task_id,
        map_index=-1 if event.source_map_index is None else event.source_map_index,
    )
