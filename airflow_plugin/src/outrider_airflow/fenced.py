"""Puts the fence round the tasks of a DAG as it is read, and round the pods that KubernetesExecutor runs tasks in."""

import inspect
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from outrider_contracts.names import JOB_ACCOUNT, DerivedNames

from outrider_airflow import fence
from outrider_airflow.declared import declares
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
    """Have a pod of KubernetesExecutor run in the namespace of the team whose bundle its task is of.

    The task's `pod_override` is in *pod* already and has won over all that the executor put in, so *pod* is believed
    nothing: what the executor made before is what counts, and is put back. Raises ValueError where that can't be told,
    or where the override has arguments of its own; the executor then fails the task.
    """
    if _supervised():
        return
    asked = _executor_s()
    if asked is None:
        if "scheduler" in sys.argv:
            raise ValueError("this pod is not made the way KubernetesExecutor makes its pods; no team can be told")
        return
    if not teams_by_bundle:
        raise ValueError("no bundle of any team is known: [outrider] bundles_file is empty or can't be read")
    template, made = asked
    if pod.spec.containers[0].args != made.spec.containers[0].args:
        raise ValueError("the pod_override has args of its own in place of the task's. Leave them out.")
    team = teams_by_bundle.get(_bundle(made))
    pod.metadata.name = made.metadata.name
    pod.metadata.namespace = made.metadata.namespace if team is None else DerivedNames(team).namespace
    pod.metadata.labels = _marked(pod.metadata.labels, made.metadata.labels)
    pod.metadata.annotations = _marked(pod.metadata.annotations, made.metadata.annotations)
    pod.spec.service_account_name = reach(template, "spec.service_account_name") if team is None else JOB_ACCOUNT
    pod.spec.service_account = None  # its old name


def expanded(task: Any) -> dict[str, list[Any]]:
    """What a mapped task is expanded over, with the values, both as far as they are known before it runs."""
    value = reach(task, "expand_input.value")
    if isinstance(value, Mapping):
        return {name: list(each) if isinstance(each, (list, tuple)) else [] for name, each in value.items()}
    found: dict[str, list[Any]] = {}
    for each in value if isinstance(value, (list, tuple)) else ():
        for name, one in _mapping(each).items():
            found.setdefault(name, []).append(one)
    return found


def _supervised() -> bool:
    """Whether it is authors' code that runs in this process (a task's, a file's, a trigger's): it has a supervisor.

    The command line doesn't tell: LocalExecutor's tasks are forked from the scheduler.
    """
    return reach(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS") is not None


def _executor_s() -> tuple[Any, Any] | None:
    """The site's template and the pod as KubernetesExecutor made it; None where it is not the executor that asks.

    They are nowhere but in `PodGenerator.construct_pod`, which calls the hook with the override merged in; there is no
    other way to them in Airflow 3.3 (it asks `task_instance_mutation_hook` of a plugin for some tasks only).
    """
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not PodGenerator.construct_pod.__code__:
        frame = frame.f_back
    return None if frame is None else (frame.f_locals["base_worker_pod"], frame.f_locals["dynamic_pod"])


def _marked(told: Mapping[str, str] | None, made: Mapping[str, str]) -> dict[str, str]:
    return {**{name: value for name, value in (told or {}).items() if name not in fence.EXECUTORS}, **made}


def _bundle(made: Any) -> str:
    """The bundle that the workload names, the last argument of the executor's."""
    try:
        return str(json.loads(made.spec.containers[0].args[-1])["bundle_info"]["name"])
    except (LookupError, TypeError, ValueError):
        raise ValueError("the workload of KubernetesExecutor names no bundle; no team can be told") from None


def _refuse_foreign_names(task: Any, team: str, teams: Collection[str]) -> None:
    for name, value in _named(task):
        if isinstance(value, str) and (owner := fence.foreign(team, value, teams)):
            raise ValueError(f"{name} {value!r} is team {owner}'s, this DAG is team {team}'s. Use {team}__… instead.")


def _named(task: Any) -> Iterator[tuple[str, Any]]:
    """Where *task* names pools and connections, and which."""
    told = _arguments(task)
    for name, value in (*told.items(), *((name, one) for name, many in expanded(task).items() for one in many)):
        if name == "pool" or name.endswith("conn_id"):
            yield name, value
    if declares(task):
        for kind in ("sources", "destinations"):
            for name, source in _mapping(told.get(kind)).items():
                yield f"{kind}[{name!r}]", _mapping(source).get("connection")


def _place(task: Any, team: str) -> None:
    told, several = _arguments(task), expanded(task)
    _check_override(team, _mapping(told.get("executor_config")).get("pod_override"))
    operator: Any = getattr(task, "operator_class", None) or type(task)
    offered = _offered(operator)
    if "kubernetes_conn_id" not in offered:
        return
    if wrong := sorted({*fence.NAMED, *fence.WAYS_ROUND} & several.keys()):
        raise ValueError(f"{wrong[0]} can't be expanded: it is team {team}'s for all instances. Leave it out.")
    for each in (told.get("trigger_kwargs"), *several.get("trigger_kwargs", ())):
        fence.check_trigger(_mapping(each))
    said = {name: told.get(_kept(told, name)) for name in (*fence.NAMED, *fence.WAYS_ROUND)}
    said = {name: value for name, value in said.items() if value != offered.get(name)}
    for name, value in fence.place(team, said, _template(told)).items():
        if name in offered:
            _set(task, _kept(told, name), value)


def _check_override(team: str, override: object) -> None:
    spec, metadata = reach(override, "spec"), reach(override, "metadata")
    job = next(iter(reach(spec, "containers") or ()), None)
    told = {
        "namespace": reach(metadata, "namespace"),
        "service_account_name": reach(spec, "service_account_name") or reach(spec, "service_account"),
        "command": reach(job, "command"),
        "args": reach(job, "args"),
    }
    fence.check_override(team, told, (*(reach(metadata, "labels") or ()), *(reach(metadata, "annotations") or ())))


def _arguments(task: Any) -> Mapping[str, Any]:
    """What *task* was given, also a mapped one (what all its instances share)."""
    partial: Mapping[str, Any] | None = getattr(task, "partial_kwargs", None)
    return vars(task) if partial is None else partial


@cache
def _offered(operator: type) -> Mapping[str, object]:
    """The arguments that *operator* takes, its own and those of its ancestors, and what they are by default."""
    kinds = reversed(inspect.getmro(operator))
    makers = [vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind) and kind is not object]
    return {name: each.default for maker in makers for name, each in inspect.signature(maker).parameters.items()}


def _kept(told: Mapping[str, Any], name: str) -> str:
    """Under which attribute an operator keeps its argument *name*."""
    return f"_{name}" if name not in told and f"_{name}" in told else name


def _mapping(value: object) -> Mapping[Any, Any]:
    """*value* where it can be looked into now: a template, or another task's result, is known when it runs."""
    return value if isinstance(value, Mapping) else {}


def _set(task: Any, name: str, value: str) -> None:
    if getattr(task, "partial_kwargs", None) is None:
        setattr(task, name, value)
    else:
        task.partial_kwargs[name] = value


def _template(told: Mapping[str, Any]) -> dict[str, str]:
    """Namespace and service account of a pod template that is there at parse time."""
    written = _mapping(told.get("pod_template_dict"))
    full = told.get("full_pod_spec")
    metadata, spec = _mapping(written.get("metadata")), _mapping(written.get("spec"))
    namespace = reach(full, "metadata.namespace") or metadata.get("namespace")
    account = reach(full, "spec.service_account_name") or spec.get("serviceAccountName") or spec.get("serviceAccount")
    return {"namespace": str(namespace or ""), "service_account_name": str(account or "")}
