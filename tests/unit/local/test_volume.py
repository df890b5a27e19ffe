"""The shared volume of one machine lies below the home, and goes with it."""

import json
import os
from pathlib import Path

from outrider_local import volume
from outrider_local.kubernetes import given
from outrider_local.stack import Stack


def test_it_is_closed_to_others_and_each_team_has_its_own_part(tmp_path: Path) -> None:
    """Whatever the umask is: what fences teams in pods is that each mounts its part, and nobody the whole."""
    stack = Stack.open(tmp_path / "home", tmp_path / "cache")
    umask = os.umask(0)
    try:
        root = volume.root(stack)
    finally:
        os.umask(umask)

    assert root.is_relative_to(stack.layout.home)
    assert root.stat().st_mode & 0o777 == 0o700
    assert json.loads(volume.source(stack)) == {"hostPath": {"path": f"{root}/{{team}}", "type": "Directory"}}


def test_a_given_cluster_can_not_have_it(tmp_path: Path) -> None:
    """Its nodes are other machines."""
    stack = Stack.open(tmp_path / "home", tmp_path / "cache")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    offered = volume.offered(stack)

    given.use(stack, kubeconfig)

    assert offered
    assert not volume.offered(stack)
