"""What of Kubernetes, pools and connections a team's task may name: decisions over plain values, with the fix in words.

A help for authors, not the boundary: that is the rights of the team's own credentials.
"""

from collections.abc import Collection, Mapping

from outrider_contracts.names import JOB_ACCOUNT, KUBERNETES_CONNECTION, SPARK_ACCOUNT, DerivedNames

NAMED = ("namespace", "service_account_name", "kubernetes_conn_id")
"""What the fence looks at and fills in where the author left it open."""
WAYS_ROUND = ("config_file", "cluster_context", "in_cluster", "config_dict")
"""Arguments that would reach a cluster past the team's connection."""


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


def foreign(team: str, name: str, teams: Collection[str]) -> str:
    """The team that a pool or connection called *name* belongs to, if that is another of *teams*; "" otherwise."""
    owner, divider, _ = name.partition("__")
    return owner if divider and owner != team and owner in teams else ""


def _reached(team: str) -> str:
    return f"tasks of team {team} reach the cluster by their connection {KUBERNETES_CONNECTION}"
