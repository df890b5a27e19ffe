"""Template macros: `{{ macros.outrider.place(ti) }}`, `{{ macros.outrider.team(ti) }}`. Loaded by every process."""

from typing import Any


def place(ti: Any) -> str:
    """The task's place, relative to the store's root; "" where no rule says whose task it is."""
    return _of(ti, "place")


def team(ti: Any) -> str:
    """The task's team; "" where no rule says whose task it is."""
    return _of(ti, "team")


def _of(ti: Any, name: str) -> str:
    from outrider_airflow.plain import environment_of

    found = environment_of(ti)
    return "" if found is None else str(getattr(found, name))
