"""Cluster policies (entry point `airflow.policy`): early, clear refusals, and what declarations mean to Airflow.

They run where a DAG's file is read, in the author's process: a help, not a boundary.
"""

from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from outrider_airflow.team import Binding


@hookimpl
def dag_policy(dag: Any) -> None:
    """Refuse what can't be, as an import error that says what to do; add the edges that declared inputs mean."""
    _refuse_foreign_tag(dag)
    _fence(dag)
    tasks = _declaring(dag)
    if not tasks:
        return
    from outrider_airflow.declared import declaration
    from outrider_airflow.dependencies import check_volumes, plan_edges
    from outrider_airflow.output_assets import may_tell

    try:
        declared = {task_id: declaration(task) for task_id, task in tasks.items()}
        downstream = {each.task_id: frozenset(each.downstream_task_ids) for each in dag.tasks}
        edges = plan_edges(declared, downstream, dag_id=dag.dag_id)
        if binding := _bound(dag):
            check_volumes(declared, binding.team)
    except ValueError as error:
        raise _violation(f"DAG {dag.dag_id!r}, {error}") from None
    for edge in edges:
        dag.get_task(edge.producer).set_downstream(dag.get_task(edge.consumer))
    for task_id, told in declared.items():
        if told.outputs and not told.mapped:
            may_tell(tasks[task_id], dag.dag_id)
        if told.mapped and any(each.wait for each in told.inputs.values()):
            tasks[task_id]._is_sensor = True  # see ExecutionEnvironmentMixin: mapping loses it


@hookimpl
def pod_mutation_hook(pod: Any) -> None:
    """Have the pods of KubernetesExecutor run in their teams' namespaces."""
    from outrider_airflow.settings import settings

    site = settings()
    if site.team_namespaces:
        from outrider_airflow import bundles, fenced

        fenced.place_executor_pod(pod, bundles.teams_by_bundle(site.bundles_file))


def _fence(dag: Any) -> None:
    """What a team's tasks may name; only where the platform says whose the DAG is."""
    from outrider_airflow import bundles, fenced
    from outrider_airflow.settings import settings

    site, binding = settings(), _bound(dag)
    if binding is None:
        return
    teams = frozenset(bundles.teams_by_bundle(site.bundles_file).values())
    try:
        fenced.fence_tasks(dag.tasks, binding.team, teams, pods=site.team_namespaces)
    except ValueError as error:
        raise _violation(f"DAG {dag.dag_id!r}, {error}") from None


def _bound(dag: Any) -> "Binding | None":
    """Whose the DAG is, where the platform says so."""
    from outrider_airflow import whose
    from outrider_airflow.settings import settings
    from outrider_airflow.team import bound

    return bound(whose.of_file(dag.fileloc, dag.tags), whose.rules(settings()))


def _declaring(dag: Any) -> dict[str, Any]:
    from outrider_airflow.declared import KINDS, declares
    from outrider_airflow.fenced import expanded

    tasks = {task.task_id: task for task in dag.tasks if declares(task)}
    for task_id, task in tasks.items():
        if several := sorted({*KINDS, "mode"} & expanded(task).keys()):
            raise _violation(
                f"DAG {dag.dag_id!r}, task {task_id!r}: {several[0]} can't be expanded, all instances of a mapped "
                f"task share their declarations. Write .partial({several[0]}=…).expand(params=…)."
            )
        _try(task, dag.dag_id)
    return tasks


def _try(task: Any, dag_id: str) -> None:
    """Refuse a mapped task whose operator refuses an instance, as far as one is known: Airflow makes them late."""
    from outrider_airflow.fenced import expanded
    from outrider_airflow.reach import reach

    if getattr(task, "partial_kwargs", None) is None:
        return
    first = {name: values[0] for name, values in expanded(task).items() if values}
    if isinstance(names := reach(task, "op_kwargs_expand_input.value"), dict):  # of a function
        first = {"op_kwargs": dict.fromkeys(names)}
    try:
        task.unmap(first)
    except Exception as error:  # noqa: BLE001  it is tried with less than there will be: only our own words are certain
        if str(error).startswith(f"task {task.task_id!r}: "):
            raise _violation(f"DAG {dag_id!r}, {error}") from None


def _refuse_foreign_tag(dag: Any) -> None:
    if not any(str(tag).startswith("team:") for tag in dag.tags):
        return
    from outrider_airflow import whose
    from outrider_airflow.settings import settings
    from outrider_airflow.team import contradiction

    if wrong := contradiction(whose.of_file(dag.fileloc, dag.tags), whose.rules(settings())):
        raise _violation(f"DAG {dag.dag_id!r}: {wrong}")


def _violation(message: str) -> Exception:
    from airflow.exceptions import AirflowClusterPolicyViolation

    return AirflowClusterPolicyViolation(message)
