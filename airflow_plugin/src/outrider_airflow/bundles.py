"""The list of DAG bundles, taken from a file whenever a process starts, so that a new team needs no restart.

`DagBundlesManager` (Airflow 3.3) reads the option from `os.environ` first, and a task process makes
one after `on_starting`; the dag-processor does so when it starts.
"""

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

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
        return {entry["name"]: entry["team_name"] for entry in _entries(file) if entry.get("team_name")}
    except (OSError, ValueError):
        return {}


def bundle_of(path: Path, file: str) -> str:
    """Name of the bundle whose directory *path* lies in, "" where it lies in none."""
    try:
        entries = _entries(file)
    except (OSError, ValueError):
        return ""
    for entry in entries:
        root = (entry.get("kwargs") or {}).get("path")
        if root and path.is_relative_to(root):
            return str(entry["name"])
    storage = _storage()
    inside = path.relative_to(storage).parts if storage and path.is_relative_to(storage) else ()
    return inside[0] if inside and any(entry["name"] == inside[0] for entry in entries) else ""


def _entries(file: str) -> tuple[Mapping[str, Any], ...]:
    return _parsed(Path(file).read_text() if file else os.environ.get(OPTION) or _configured())


@lru_cache(maxsize=2)
def _parsed(text: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(text))


def _configured() -> str:
    from airflow.configuration import conf

    return str(conf.get("dag_processor", "dag_bundle_config_list", fallback="[]"))


def _storage() -> Path | None:
    """Where bundles that are fetched (Git) lie, one directory each."""
    from airflow.configuration import conf

    told = conf.get("dag_processor", "dag_bundle_storage_path", fallback="")
    return Path(told) if told else None
