"""The list of DAG bundles, taken from a file whenever a process starts, so that a new team needs no restart.

`DagBundlesManager` (Airflow 3.3) reads the option from `os.environ` first, and a task process makes
one after `on_starting`; the dag-processor does so when it starts.
"""

import json
import logging
import os
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)
OPTION = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"


def refresh(file: str) -> None:
    """Make the list in *file* the one this process uses. Raises OSError or ValueError and changes nothing then.

    Airflow imports the classes of all bundles at once, so one that can't be (no git provider, no `git`) would end every
    team's tasks: it is left out, and said.
    """
    text = Path(file).read_text()
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise ValueError(f"{file} holds no JSON list of bundles")
    if lacking := {entry["name"]: why for entry in entries if (why := _why_not(entry.get("classpath", "")))}:
        _log.error("bundles left out, their code can't be loaded here: %s", lacking)
        text = json.dumps([entry for entry in entries if entry["name"] not in lacking])
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
    inside = path.relative_to(storage).parts if path.is_relative_to(storage) else ()
    return inside[0] if inside and any(entry["name"] == inside[0] for entry in entries) else ""


@cache
def _why_not(classpath: str) -> str:
    """Why the class of a bundle can't be imported; "" where it can. Airflow's own always can."""
    if not classpath or classpath.startswith("airflow.dag_processing."):
        return ""
    try:
        import_module(classpath.rpartition(".")[0])
    except ImportError as error:
        return str(error).strip().splitlines()[0]
    return ""


def _entries(file: str) -> tuple[Mapping[str, Any], ...]:
    return _parsed(Path(file).read_text() if file else os.environ.get(OPTION) or _configured())


@lru_cache(maxsize=2)
def _parsed(text: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(text))


def _configured() -> str:
    from airflow.configuration import conf

    return str(conf.get("dag_processor", "dag_bundle_config_list", fallback="[]"))


def _storage() -> Path:
    """Where bundles that are fetched (Git) lie, one directory each."""
    from airflow.dag_processing.bundles.base import get_bundle_storage_root_path

    return Path(get_bundle_storage_root_path())  # type: ignore[no-untyped-call]
