"""Where any task's data has its place: for operators that know nothing of Outrider. No I/O, no credentials."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk import get_current_context
from outrider_contracts.keys import TaskKey
from outrider_contracts.places import place

from outrider_airflow import whose
from outrider_airflow.errors import EnvironmentRefused
from outrider_airflow.reach import reach
from outrider_airflow.trace import traceparent

PREFIX = "AIRFLOW_CTX_OUTRIDER_"
_POD_OPERATOR = "kubernetes_pod_operator"
"""The label of every pod of a KubernetesPodOperator."""


@dataclass(frozen=True)
class PlainEnvironment:
    """Whose task it is, its place relative to the store's root, and the trace its work belongs to."""

    team: str
    place: str
    traceparent: str


def environment() -> PlainEnvironment:
    """Of the task that is running. Raises EnvironmentRefused where no rule of the site says whose it is."""
    found = environment_of(get_current_context()["ti"])
    if found is None:
        raise EnvironmentRefused("no rule says which team this task belongs to. Fix: set [outrider] default_team")
    return found


def environment_of(task_instance: Any) -> PlainEnvironment | None:
    """Of *task_instance*, as its own process has it; None where no rule says whose it is."""
    binding = whose.of_task(task_instance)
    if binding is None:
        return None
    key = TaskKey(
        team=binding.team,
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        map_index=-1 if task_instance.map_index is None else task_instance.map_index,
    )
    date = reach(task_instance, "_ti_context_from_server.dag_run.logical_date")
    return PlainEnvironment(key.team, place(key, date), traceparent(task_instance, key.record_key))


def context_variables(context: Mapping[str, Any]) -> dict[str, str]:
    """What Airflow exports as `AIRFLOW_CTX_OUTRIDER_…` to any operator."""
    found = environment_of(context["ti"])
    if found is None:
        return {}
    return {f"outrider_{name}": value for name, value in vars(found).items() if value}


def tell_pod(pod: Any, environ: Mapping[str, str] = os.environ) -> None:
    """Give the job of a KubernetesPodOperator the same variables; what its author set stays."""
    told = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    if not told or _POD_OPERATOR not in (pod.metadata.labels or {}):
        return
    with contextlib.suppress(ImportError):
        from kubernetes.client.models import V1EnvVar

        job = pod.spec.containers[0]
        own = {each.name for each in job.env or ()}
        job.env = [*(job.env or ()), *(V1EnvVar(name=n, value=told[n]) for n in sorted(told.keys() - own))]
