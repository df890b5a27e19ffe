"""Reads attributes of Airflow's objects, of which each process has another kind."""

from typing import Any


def reach(thing: object, path: str) -> Any:
    """The attribute at dotted *path*, None where it is not there or can't be read in this process."""
    for name in path.split("."):
        try:
            thing = getattr(thing, name, None)
        except Exception:  # noqa: BLE001  rows detached from their session and lazy proxies raise what they like
            return None
    return thing


def reach_loaded(row: object, path: str) -> Any:
    """As `reach`, but None where the first step would ask the database."""
    first = path.split(".", 1)[0]
    return reach(row, path) if first in getattr(row, "__dict__", {}) else None
