"""A team in a cluster, on the memory twin: what it has, what others hold, and what is left when access ends."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from outrider_contracts.names import KUBERNETES_CONNECTION
from tenancy.adapters.kubernetes import KubernetesProvisioner, Site
from tenancy.adapters.memory_cluster import MemoryCluster
from tenancy.domain.kubeconfig import ClusterAddress, held_token
from tenancy.domain.manifests import Manifest, Ref
from tenancy.domain.teams import Wanted
from tenancy.ports import ProvisioningFailed

from tests.unit.tenancy.teams import desired

NAMESPACE = "outrider-team-ads"
QUOTA = Ref("v1", "ResourceQuota", NAMESPACE, "team")


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def provisioner(cluster: MemoryCluster, tmp_path: Path) -> KubernetesProvisioner:
    return KubernetesProvisioner(cluster, Site(ClusterAddress("https://cluster:6443", "Q0E="), tmp_path))


def ads(**kubernetes: Any) -> Wanted:
    made = desired("ads", kubernetes={"quota": {"pods": 20}, **kubernetes})
    return Wanted("ads", made.uid, made.spec)


def under(wanted: Wanted, lifecycle: str) -> Wanted:
    return replace(wanted, spec=wanted.spec.model_copy(update={"lifecycle": lifecycle}))


def on_volume(wanted: Wanted) -> Wanted:
    storage = wanted.spec.storage.model_copy(update={"backend": "directory"})
    return replace(wanted, spec=wanted.spec.model_copy(update={"storage": storage}))


async def set_by_hand(cluster: MemoryCluster, pods: str) -> None:
    """A person changes the quota, as with `kubectl apply --server-side --force-conflicts`."""
    quota: Manifest = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": pods}},
    }  # fmt: skip
    await MemoryCluster("kubectl", cluster.kept).apply(quota, force=True)


async def hard(cluster: MemoryCluster) -> object:
    quota: Any = await cluster.find(QUOTA)
    return quota["spec"]["hard"]


def kinds(cluster: MemoryCluster) -> set[str]:
    return {f"{ref.kind}/{ref.name}" for ref in cluster.kept}


async def test_a_team_has_a_namespace_with_fences_and_three_accounts(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())

    assert kinds(cluster) == {
        "Namespace/outrider-team-ads", "ResourceQuota/team", "LimitRange/team", "NetworkPolicy/team",
        "ServiceAccount/default", "ServiceAccount/job", "ServiceAccount/runner", "ServiceAccount/spark",
        "RoleBinding/runner", "RoleBinding/spark",
    }  # fmt: skip


async def test_pods_are_restricted_unless_the_document_says_less(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    levels = []
    for wanted in (ads(), ads(podSecurity="baseline")):
        await provisioner.apply(wanted)
        home: Any = await cluster.find(Ref("v1", "Namespace", "", NAMESPACE))
        levels.append(home["metadata"]["labels"]["pod-security.kubernetes.io/enforce"])

    assert levels == ["restricted", "baseline"]


async def test_what_somebody_else_set_is_planned_as_drift_and_named(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())
    await set_by_hand(cluster, "99")

    (change,) = await provisioner.plan(ads())

    assert str(change) == f"resourcequota.set {NAMESPACE}/team: .spec.hard.pods 99 -> 20 (set by kubectl)"
    assert await hard(cluster) == {"pods": "99"}


async def test_what_somebody_else_set_is_left_and_stated_as_a_conflict(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())
    await set_by_hand(cluster, "99")

    applied = await provisioner.apply(ads())

    assert applied.changes == ()
    assert f"ResourceQuota {NAMESPACE}/team: .spec.hard.pods is set by kubectl" in applied.conflict
    assert "spec.kubernetes.force: true" in applied.conflict
    assert await hard(cluster) == {"pods": "99"}


async def test_a_document_that_says_force_takes_fields_back(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())
    await set_by_hand(cluster, "99")

    applied = await provisioner.apply(ads(force=True))

    assert applied.conflict == ""
    assert await hard(cluster) == {"pods": "20"}
    assert await provisioner.plan(ads()) == ()


async def test_a_conflict_on_one_object_stops_no_other(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())
    await set_by_hand(cluster, "99")
    await cluster.remove(Ref("v1", "LimitRange", NAMESPACE, "team"))

    await provisioner.apply(ads())

    assert "LimitRange/team" in kinds(cluster)


async def test_a_team_on_the_shared_volume_has_its_directory_and_a_claim_to_it(
    cluster: MemoryCluster, tmp_path: Path
) -> None:
    """The volume is for that claim alone, and leads to that team's directory alone; a team in S3 has neither."""
    source = {"hostPath": {"path": "/srv/outrider/{team}", "type": "Directory"}}
    provisioner = KubernetesProvisioner(
        cluster, Site(ClusterAddress("https://cluster:6443", "Q0E="), tmp_path, volume_source=source)
    )
    await provisioner.apply(ads())
    without = kinds(cluster)

    await provisioner.apply(on_volume(ads()))

    assert kinds(cluster) - without == {
        "PersistentVolume/outrider-team-ads", "PersistentVolumeClaim/outrider-volume",
    }  # fmt: skip
    volume: Any = await cluster.find(Ref("v1", "PersistentVolume", "", "outrider-team-ads"))
    claim: Any = await cluster.find(Ref("v1", "PersistentVolumeClaim", NAMESPACE, "outrider-volume"))
    assert volume["spec"]["hostPath"]["path"] == "/srv/outrider/ads"
    assert volume["spec"]["claimRef"]["namespace"] == NAMESPACE
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert claim["spec"]["volumeName"] == "outrider-team-ads"
    assert await provisioner.plan(on_volume(ads())) == ()

    await provisioner.apply(under(on_volume(ads()), "Deleted"))

    assert "PersistentVolumeClaim/outrider-volume" in kinds(cluster)


async def test_a_volume_whose_claim_was_deleted_is_stated_with_what_mends_it(
    cluster: MemoryCluster, tmp_path: Path
) -> None:
    """Kubernetes gives it to no new claim by itself."""
    source = {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1:/{team}"}}
    provisioner = KubernetesProvisioner(
        cluster, Site(ClusterAddress("https://cluster:6443"), tmp_path, volume_source=source)
    )
    await provisioner.apply(on_volume(ads()))
    released: Manifest = {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "outrider-team-ads"},
        "status": {"phase": "Released"},
    }  # fmt: skip
    await MemoryCluster("kube-controller-manager", cluster.kept).apply(released)

    applied = await provisioner.apply(on_volume(ads()))

    assert "PersistentVolume outrider-team-ads is Released" in applied.conflict
    assert "kubectl patch pv outrider-team-ads" in applied.conflict


async def test_a_namespace_of_somebody_else_is_not_taken(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    theirs: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await MemoryCluster("kubectl", cluster.kept).apply(theirs)

    with pytest.raises(ProvisioningFailed, match=f"labels it outrider/uid={ads().uid}"):
        await provisioner.apply(ads())

    assert kinds(cluster) == {f"Namespace/{NAMESPACE}"}


async def test_a_suspended_team_starts_no_pod_and_its_accounts_have_no_rights(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())

    await provisioner.apply(under(ads(), "Suspended"))

    assert await hard(cluster) == {"pods": "0"}
    assert not [kind for kind in kinds(cluster) if kind.startswith("RoleBinding")]


async def test_a_deleted_team_keeps_its_namespace_and_loses_accounts_and_connection(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster, tmp_path: Path
) -> None:
    await provisioner.apply(ads())

    await provisioner.apply(under(ads(), "Deleted"))

    assert {f"Namespace/{NAMESPACE}", "ServiceAccount/job"} <= kinds(cluster)
    assert not {"ServiceAccount/runner", "ServiceAccount/spark", "RoleBinding/runner"} & kinds(cluster)
    assert not (tmp_path / "ads" / KUBERNETES_CONNECTION).exists()


async def test_the_connection_is_the_runner_s_in_the_team_s_namespace(
    provisioner: KubernetesProvisioner, tmp_path: Path
) -> None:
    await provisioner.apply(ads())

    file = tmp_path / "ads" / KUBERNETES_CONNECTION
    connection = json.loads(file.read_text())
    (cluster,) = connection["extra"]["kube_config"]["clusters"]
    assert connection["conn_type"] == "kubernetes"
    assert connection["extra"]["namespace"] == NAMESPACE
    assert cluster["cluster"] == {"server": "https://cluster:6443", "certificate-authority-data": "Q0E="}
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_token_is_renewed_when_half_of_its_time_has_passed(cluster: MemoryCluster, tmp_path: Path) -> None:
    over = KubernetesProvisioner(cluster, Site(ClusterAddress("https://cluster"), tmp_path, token_seconds=0))
    long = KubernetesProvisioner(cluster, Site(ClusterAddress("https://cluster"), tmp_path))
    await over.apply(ads())
    first = held_token((tmp_path / "ads" / KUBERNETES_CONNECTION).read_text())

    applied = await long.apply(ads())

    assert [change.action for change in applied.changes] == ["token.mint"]

    assert held_token((tmp_path / "ads" / KUBERNETES_CONNECTION).read_text()) != first
    assert await long.plan(ads()) == ()


async def test_a_token_of_an_account_that_was_made_anew_is_replaced(
    provisioner: KubernetesProvisioner, cluster: MemoryCluster
) -> None:
    await provisioner.apply(ads())
    await cluster.remove(Ref("v1", "ServiceAccount", NAMESPACE, "runner"))

    applied = await provisioner.apply(ads())

    assert [change.action for change in applied.changes] == ["serviceaccount.create", "token.mint"]


async def test_no_change_says_a_token(provisioner: KubernetesProvisioner, tmp_path: Path) -> None:
    applied = await provisioner.apply(ads())

    token = held_token((tmp_path / "ads" / KUBERNETES_CONNECTION).read_text())
    assert token
    assert token not in repr(applied)
