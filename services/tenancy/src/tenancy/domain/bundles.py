"""The list of DAG bundles as Airflow's dag-processor reads it: one entry per team, all teams, always."""

import json
from collections.abc import Iterable

from outrider_contracts.names import DerivedNames

from tenancy.domain.teams import Wanted

_REFRESH_SECONDS = 5


def bundle_list(teams: Iterable[Wanted], root: str) -> str:
    """The whole list. A team left out would lose its bundle and its DAGs, so suspended teams stay in it."""
    return json.dumps([_entry(wanted, root) for wanted in sorted(teams, key=lambda w: w.team)], indent=2) + "\n"


def _entry(wanted: Wanted, root: str) -> dict[str, object]:
    names, bundle = wanted.names, wanted.spec.airflow.bundle
    if bundle.git is None:
        classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
        kwargs: dict[str, object] = {"path": f"{root.rstrip('/')}/{names.team}", "refresh_interval": _REFRESH_SECONDS}
    else:
        classpath = "airflow.providers.git.bundles.git.GitDagBundle"
        kwargs = {"repo_url": bundle.git, "tracking_ref": bundle.ref, "refresh_interval": 60}
    return {"name": names.bundle, "classpath": classpath, "kwargs": kwargs, "team_name": names.airflow_team}


def pool_names(team: str, pools: Iterable[str]) -> dict[str, str]:
    """The team's pools by their name in Airflow, where pools of all teams share one space: `ads__default`.

    Team ids hold no underscore, so two teams' names never meet.
    """
    return {f"{DerivedNames(team).airflow_team}__{pool}": pool for pool in pools}
