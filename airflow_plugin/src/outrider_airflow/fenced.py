"""Puts the fence round the tasks of a DAG as it is read, and round the pods that KubernetesExecutor runs tasks in."""

import inspect
import json
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from outrider_contracts.names import JOB_ACCOUNT, DerivedNames

from outrider_airflow import fence
from outrider_airflow.reach import reach


def fence_tasks(tasks: Collection[Any], team: str, teams: Collection[str], *, pods: bool) -> None:
    """Refuse what another of *teams* owns; with *pods*, have those that run pods do so in the team's namespace.

    Raises ValueError naming the task and the fix.
    """
    for task in tasks:
        try:
            _refuse_foreign_names(task, team, teams)
            if pods:
                _place(task, team)
        except ValueError as wrong:
            raise ValueError(f"task {task.task_id!r}: {wrong}") from None


def place_executor_pod(pod: Any, teams_by_bundle: Mapping[str, str]) -> None:
    """Have a pod of KubernetesExecutor run in the namespace of the team whose bundle its task is of."""
    if (reach(pod, "metadata.labels") or {}).get("kubernetes_executor") != "True":
        return
    team = teams_by_bundle.get(_bundle(pod))
    if team is None:
        return
    pod.metadata.namespace = DerivedNames(team).namespace
    pod.spec.service_account_name = JOB_ACCOUNT


def _refuse_foreign_names(task: Any, team: str, teams: Collection[str]) -> None:
    named = {name: value for name, value in _arguments(task).items() if name == "pool" or name.endswith("conn_id")}
    for name, value in named.items():
        if isinstance(value, str) and (owner := fence.foreign(team, value, teams)):
            raise ValueError(f"{name} {value!r} is team {owner}'s, this DAG is team {team}'s. Use {team}__… instead.")


def _place(task: Any, team: str) -> None:
    told = _arguments(task)
    override = reach((told.get("executor_config") or {}).get("pod_override"), "metadata.namespace")
    if override and override != DerivedNames(team).namespace:
        raise ValueError(f"the pod_override's namespace {override!r} is not team {team}'s. Leave it out.")
    operator: Any = getattr(task, "operator_class", None) or type(task)
    offered = _offered(operator)
    if "kubernetes_conn_id" not in offered:
        return
    if expanded := sorted({*fence.NAMED, *fence.WAYS_ROUND} & _expanded(task)):
        raise ValueError(f"{expanded[0]} can't be expanded: it is team {team}'s for all instances. Leave it out.")
    for name, value in fence.place(team, told, _template(told)).items():
        if name in offered:
            _set(task, name, value)


def _arguments(task: Any) -> Mapping[str, Any]:
    """What *task* was given, also a mapped one (what all its instances share)."""
    partial: Mapping[str, Any] | None = getattr(task, "partial_kwargs", None)
    return vars(task) if partial is None else partial


@cache
def _offered(operator: type) -> frozenset[str]:
    """Names of the arguments that *operator* takes, its own and those of its ancestors."""
    kinds = inspect.getmro(operator)
    makers = [vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind) and kind is not object]
    return frozenset(name for maker in makers for name in inspect.signature(maker).parameters)


def _expanded(task: Any) -> frozenset[str]:
    value = getattr(getattr(task, "expand_input", None), "value", None)
    return frozenset(value) if isinstance(value, dict) else frozenset()


def _set(task: Any, name: str, value: str) -> None:
    if getattr(task, "partial_kwargs", None) is None:
        setattr(task, name, value)
    else:
        task.partial_kwargs[name] = value


def _template(told: Mapping[str, Any]) -> dict[str, str]:
    """Namespace and service account of a pod template that is there at parse time."""
    written = told.get("pod_template_dict") or {}
    full = told.get("full_pod_spec")
    metadata, spec = written.get("metadata") or {}, written.get("spec") or {}
    namespace = reach(full, "metadata.namespace") or metadata.get("namespace")
    account = reach(full, "spec.service_account_name") or spec.get("serviceAccountName") or spec.get("serviceAccount")
    return {"namespace": str(namespace or ""), "service_account_name": str(account or "")}


def _bundle(pod: Any) -> str:
    """The bundle that the workload of *pod* names; "" where it carries none."""
    arguments = reach(pod, "spec.containers") or ()
    for argument in (reach(arguments[0], "args") or ()) if arguments else ():
        try:
            told = json.loads(argument)
        except ValueError:
            continue
        if isinstance(told, dict):
            return str((told.get("bundle_info") or {}).get("name", ""))
    return ""
