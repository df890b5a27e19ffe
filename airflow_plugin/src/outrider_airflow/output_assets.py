"""Airflow's assets of sealed outputs: a DAG scheduled on one starts when a version is sealed, and not before."""

from typing import Any

from airflow.sdk import Asset, AssetAlias, Context
from airflow.sdk.definitions.asset.access_control import AssetAccessControl
from outrider_contracts.environments import VersionKey
from outrider_contracts.http import SealResult
from outrider_contracts.names import check_team_id
from outrider_contracts.places import escape


def output_asset(*, team: str, dag: str, task: str, output: str) -> Asset:
    """The asset of an output, for `schedule=`: its event is there once a version of the output is sealed.

    Parts of a mapped task are no versions of the whole and have no events. The event wakes the DAG; what it may read
    is still declared by `Input`, and of another team granted by both sides.
    """
    uri = f"outrider://{check_team_id(team)}/{escape(dag)}/{escape(task)}/{escape(output)}"
    return Asset(uri, access_control=AssetAccessControl(producer_teams=[team]))


def may_tell(task: Any, dag_id: str) -> None:
    """Let the (authored) task tell Airflow of outputs it seals; which those are is known when it has run."""
    if (alias := _alias(dag_id, task.task_id)) not in task.outlets:
        task.outlets = [*task.outlets, alias]


def tell_airflow(task: Any, context: Context, sealed: SealResult) -> None:
    """Have an event per sealed version told with the task's success, in the transaction that makes it one.

    So there is one per version, and none for a try that fails after its seal.
    """
    alias = _alias(task.dag_id, task.task_id)
    if alias not in task.outlets:
        return
    for output in sealed.outputs.values():
        context["outlet_events"][alias].add(_asset_of(output.version), extra={"path": output.path})


def _asset_of(version: VersionKey) -> Asset:
    uri = output_asset(team=version.team, dag=version.dag_id, task=version.task_id, output=version.output).uri
    return Asset(uri)


def _alias(dag_id: str, task_id: str) -> AssetAlias:
    return AssetAlias(f"outrider:{escape(dag_id)}/{escape(task_id)}")
