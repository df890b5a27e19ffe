"""The shared volume of one machine: a directory of the home, closed to others, with a directory per team in it.

Pods of the stack's own node mount their team's part of it.
"""

import json
from pathlib import Path

from outrider_local.kubernetes import given
from outrider_local.stack import Stack


def offered(stack: Stack) -> bool:
    """Whether teams may have their data there: pods of a cluster that was given can't see this machine's disk."""
    return given.kubeconfig(stack) is None


def root(stack: Stack) -> Path:
    """The directory; it is there."""
    path = stack.layout.data("volume")
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def source(stack: Stack) -> str:
    """How a pod mounts a team's part: the source of a PersistentVolume as JSON, with `{team}` in it."""
    return json.dumps({"hostPath": {"path": f"{root(stack)}/{{team}}", "type": "Directory"}})
