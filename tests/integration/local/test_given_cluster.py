"""A cluster that is there already is used as it is: nothing is started, nothing of it is stopped."""

import json
from pathlib import Path

import pytest
from outrider_local.components import all_components, usual_components
from outrider_local.errors import StackError
from outrider_local.handles import RunningKubernetes
from outrider_local.kubernetes import given
from outrider_local.kubernetes.control_plane import ControlPlane
from outrider_local.runner import bring_down, bring_up, with_needs
from outrider_local.stack import Stack


@pytest.fixture
def other(tmp_path: Path) -> Stack:
    """A second stack of which nothing runs."""
    return Stack.open(tmp_path / "other")


def test_a_given_cluster_stands_in_for_one_of_the_stack(kubernetes: RunningKubernetes, other: Stack) -> None:
    given.use(other, kubernetes.kubeconfig)
    components = with_needs(["node"], all_components())

    assert not bring_up(other, components).failed

    assert not other.processes.names()
    assert "kubernetes" in [component.name for component in usual_components(other)]
    assert ControlPlane().endpoints(other)["url"] == kubernetes.server
    assert ControlPlane().ready(other)

    bring_down(other, components)

    assert "kubernetes" not in [component.name for component in usual_components(other)]
    assert ControlPlane().ready(kubernetes.stack)


def test_a_given_cluster_that_is_away_is_named(kubernetes: RunningKubernetes, other: Stack, tmp_path: Path) -> None:
    told = json.loads(kubernetes.kubeconfig.read_text())
    told["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    away = tmp_path / "away.kubeconfig"
    away.write_text(json.dumps(told))
    given.use(other, away)

    outcome = bring_up(other, [ControlPlane()])

    assert str(away) in outcome.failed["kubernetes"]
    assert "does not answer" in outcome.failed["kubernetes"]


def test_a_stack_with_a_cluster_of_its_own_up_takes_no_other(kubernetes: RunningKubernetes) -> None:
    with pytest.raises(StackError, match="outrider down kubernetes"):
        given.use(kubernetes.stack, kubernetes.kubeconfig)


def test_a_kubeconfig_that_is_no_file_is_named(other: Stack, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="nowhere"):
        given.use(other, tmp_path / "nowhere")
