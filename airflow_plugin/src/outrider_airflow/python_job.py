"""A Python function as a job of its own: a script and JSON, so that nothing of Airflow's is needed to run it. Pure."""

import json
from collections.abc import Sequence
from typing import Any

SCRIPT, ARGUMENTS, RESULT = "job.py", "arguments.json", "result.json"

_FRAME = """\
from __future__ import annotations

{source}

if __name__ == "__main__":
    import json as _json
    import sys as _sys

    _given = _json.loads({given})
    _result = {name}(*_given["args"], **_given["kwargs"])
    with open(_sys.argv[2], "w") as _file:
        _json.dump(_result, _file)
"""


def script(source: str, name: str, *, told: bool = False) -> str:
    """The program that calls *name* of *source* with the arguments in the file its first argument names (*told*: with
    those that its first argument is).

    What the function returns goes, as JSON, into the file its second argument names.
    """
    given = "_sys.argv[1]" if told else "open(_sys.argv[1]).read()"
    return _FRAME.format(source=source.strip(), name=name, given=given)


def arguments(task_id: str, args: Any, kwargs: Any) -> str:
    """The arguments as JSON. Raises ValueError where one is nothing a job outside Airflow can be given."""
    try:
        return json.dumps({"args": list(args), "kwargs": dict(kwargs)}, default=_listed)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"task {task_id!r}: its function runs as a job of its own, so it is given JSON alone: {error}. "
            "Pass texts, numbers, lists and dicts; hand data over by inputs= and outputs="
        ) from None


def _listed(value: object) -> list[Any]:
    """What a mapped task's instances returned: Airflow loads such a sequence when it is looked at."""
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
