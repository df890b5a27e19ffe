"""The list of DAG bundles as Airflow's dag-processor reads it: one entry per team, all teams, always."""

import json
import re
from collections.abc import Iterable

from outrider_contracts.names import DerivedNames
from outrider_contracts.tenants import AirflowSpec

from tenancy.domain.teams import Wanted

_REFRESH_SECONDS = 5
_FETCH_SECONDS = 30
_REPOSITORY = re.compile(r"(https://|ssh://|file:///)[^\s]+|[\w.-]+@[\w.-]+:[^\s]+", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*", re.ASCII)


def bundle_list(teams: Iterable[Wanted], root: str) -> str:
    """The whole list. A team left out would lose its bundle and its DAGs, so suspended teams stay in it."""
    return json.dumps([_entry(wanted, root) for wanted in sorted(teams, key=lambda w: w.team)], indent=2) + "\n"


def mistake(bundle: AirflowSpec.Bundle) -> str:
    """What is wrong with a git bundle, "" where nothing is. Git would take some of it for an option or a command."""
    if bundle.git is not None and not _REPOSITORY.fullmatch(bundle.git):
        return f"airflow.bundle.git {bundle.git!r}: write https://…, ssh://…, name@host:path or file:///…"
    if bundle.git is not None and not _REF.fullmatch(bundle.ref):
        return f"airflow.bundle.ref {bundle.ref!r}: write a branch, a tag or a commit"
    return ""


def _entry(wanted: Wanted, root: str) -> dict[str, object]:
    names, bundle = wanted.names, wanted.spec.airflow.bundle
    if bundle.git is None or mistake(bundle):
        classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
        kwargs: dict[str, object] = {"path": f"{root.rstrip('/')}/{names.team}", "refresh_interval": _REFRESH_SECONDS}
    else:
        classpath = "airflow.providers.git.bundles.git.GitDagBundle"
        kwargs = {"repo_url": bundle.git, "tracking_ref": bundle.ref, "refresh_interval": _FETCH_SECONDS}
    return {"name": names.bundle, "classpath": classpath, "kwargs": kwargs, "team_name": names.airflow_team}


def pool_names(team: str, pools: Iterable[str]) -> dict[str, str]:
    """The team's pools by their name in Airflow, where pools of all teams share one space: `ads__default`.

    Team ids hold no underscore, so two teams' names never meet.
    """
    return {f"{DerivedNames(team).airflow_team}__{pool}": pool for pool in pools}
