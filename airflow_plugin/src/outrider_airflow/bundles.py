"""The list of DAG bundles, taken from a file whenever a process starts, so that a new team needs no restart.

Source: `facts` of Airflow 3.3: `DagBundlesManager` reads the option from `os.environ` first, and a task process makes
one after `on_starting`; the dag-processor does so when it starts.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

OPTION = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"


def refresh(file: str) -> None:
    """Make the list in *file* the one this process uses. Raises OSError or ValueError and changes nothing then."""
    text = Path(file).read_text()
    if not isinstance(json.loads(text), list):
        raise ValueError(f"{file} holds no JSON list of bundles")
    os.environ[OPTION] = text


def teams_by_bundle(file: str) -> dict[str, str]:
    """Team per bundle as the list says it; empty where there is no readable list."""
    try:
        if file:
            return _teams((found := Path(file)).read_text(), found.stat().st_mtime_ns)
        return _teams(os.environ.get(OPTION) or _configured(), 0)
    except (OSError, ValueError):
        return {}


@lru_cache(maxsize=2)
def _teams(text: str, _changed: int) -> dict[str, str]:
    return {entry["name"]: entry["team_name"] for entry in json.loads(text) if entry.get("team_name")}


def _configured() -> str:
    from airflow.configuration import conf

    return str(conf.get("dag_processor", "dag_bundle_config_list", fallback="[]"))
