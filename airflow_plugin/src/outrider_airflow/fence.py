"""What of Kubernetes, pools and connections a team's task may name: decisions over plain values, with the fix in words.

A help for authors, not the boundary: that is the rights of the team's own credentials.
"""

from collections.abc import Collection, Mapping

from outrider_contracts.names import JOB_ACCOUNT, KUBERNETES_CONNECTION, SPARK_ACCOUNT, DerivedNames

NAMED = ("namespace", "service_account_name", "kubernetes_conn_id")
"""What the fence looks at and fills in where the author left it open."""
WAYS_ROUND = ("config_file", "cluster_context", "in_cluster", "config_dict")
"""Arguments that would reach a cluster past the team's connection."""
EXECUTORS = (
    "kubernetes_executor", "airflow-worker", "airflow_version", "dag_id", "task_id", "run_id", "try_number",
    "map_index", "logical_date", "execution_date",
)  # fmt: skip
"""Labels and annotations by which KubernetesExecutor finds its pods, and says whose end theirs is."""
_AWAITED = ("namespace", "name", "status")
"""What a trigger's event says of the pod; `trigger_kwargs` would say another."""


def place(team: str, told: Mapping[str, object], template: Mapping[str, str]) -> dict[str, str]:
    """What to set on a task that runs pods, by what its author *told* and what its pod *template* says.

    Raises ValueError for what is another's.
    """
    names = DerivedNames(team)
    for name in WAYS_ROUND:
        if told.get(name):
            raise ValueError(f"{name} is not offered, {_reached(team)}. Leave {name} out.")
    connection = told.get("kubernetes_conn_id") or KUBERNETES_CONNECTION
    if connection != KUBERNETES_CONNECTION:
        raise ValueError(f"kubernetes_conn_id {connection!r} is not the team's, {_reached(team)}. Leave it out.")
    found = {"namespace": names.namespace, "service_account_name": JOB_ACCOUNT, "kubernetes_conn_id": connection}
    allowed = {"namespace": (names.namespace,), "service_account_name": (JOB_ACCOUNT, SPARK_ACCOUNT)}
    for name, choices in allowed.items():
        for where, value in ((name, told.get(name)), (f"the pod template's {name}", template.get(name))):
            if value and value not in choices:
                raise ValueError(
                    f"{where} {value!r} is not the team's: pods of team {team} run in namespace {names.namespace} "
                    f"under service account {' or '.join(allowed['service_account_name'])}. Leave it out, or write "
                    f"{name}={choices[0]!r}."
                )
        found[name] = str(told.get(name) or template.get(name) or found[name])
    return found


def check_override(team: str, told: Mapping[str, object], marks: Collection[str]) -> None:
    """Refuse what a `pod_override` may not set, as *told* and by its labels and annotations (*marks*).

    Raises ValueError. Here for the author to learn of it early: where the pod is made, all of it is set or refused.
    """
    own = {"namespace": DerivedNames(team).namespace, "service_account_name": JOB_ACCOUNT}
    for name, value in told.items():
        if value and value != own.get(name):
            raise ValueError(f"the pod_override's {name} {value!r} is not team {team}'s to choose. Leave it out.")
    if taken := sorted(set(EXECUTORS) & set(marks)):
        raise ValueError(f"the pod_override's {taken[0]!r} is KubernetesExecutor's own mark. Leave it out.")


def check_trigger(told: Collection[object]) -> None:
    """Refuse `trigger_kwargs` that would have another pod than the task's looked at. Raises ValueError."""
    if taken := [name for name in _AWAITED if name in told]:
        raise ValueError(
            f"trigger_kwargs may not set {taken[0]!r}, it is the task's own pod that counts. Leave it out."
        )


def foreign(team: str, name: str, teams: Collection[str]) -> str:
    """The team that a pool or connection called *name* belongs to, if that is another of *teams*; "" otherwise."""
    owner, divider, _ = name.partition("__")
    return owner if divider and owner != team and owner in teams else ""


def _reached(team: str) -> str:
    return f"tasks of team {team} reach the cluster by their connection {KUBERNETES_CONNECTION}"
