"""A team in a real cluster: whose word counts on an object, and what each of a team's accounts can do there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.exceptions import ApiException
from outrider_contracts.names import VOLUME_CLAIM
from outrider_local.handles import RunningKubernetes
from tenancy.adapters.kubernetes_cluster import ApiCluster
from tenancy.adapters.memory_cluster import MemoryCluster
from tenancy.domain.manifests import Manifest, Ref
from tenancy.domain.teams import Wanted
from tenancy.ports import Cluster, FieldsHeld, ProvisioningFailed

from tests.integration.bus.real_world import eventually
from tests.integration.tenancy.systems import Systems, changed, new_team


@pytest.fixture
def systems(systems: Systems, kubernetes: RunningKubernetes) -> Systems:
    systems.kubernetes = kubernetes
    return systems


@asynccontextmanager
async def reaching(kubernetes: RunningKubernetes) -> AsyncIterator[Any]:
    """The API as the cluster's administrator. Its stubs know neither plain objects nor content types."""
    configuration = client.Configuration()
    await config.load_kube_config(str(kubernetes.kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        yield client.CoreV1Api(api)


@asynccontextmanager
async def as_runner(systems: Systems, team: Wanted) -> AsyncIterator[client.ApiClient]:
    """The API as the team's Airflow tasks reach it: by their connection and nothing else."""
    file = systems.root / "connections" / team.team / "kubernetes_default"
    kubeconfig = json.loads(file.read_text())["extra"]["kube_config"]
    configuration = client.Configuration()
    await config.load_kube_config_from_dict(kubeconfig, client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        yield api


async def onboard(systems: Systems, **kubernetes: object) -> Wanted:
    team = new_team(kubernetes={"quota": {"pods": 2}, **kubernetes})
    await systems.kubernetes_provisioner().apply(team)
    await in_force(systems, team)
    return team


async def in_force(systems: Systems, team: Wanted) -> None:
    """Until the team's rights and quota hold: the authorizer and the quota's controller hear of them by a watch."""
    assert systems.kubernetes is not None
    namespace = team.names.namespace
    async with as_runner(systems, team) as api, reaching(systems.kubernetes) as core:

        async def counted() -> bool:
            quota = await core.read_namespaced_resource_quota("team", namespace)
            status = quota.status
            return bool(status and status.used) and status.hard == quota.spec.hard

        async def taken() -> bool:
            return await refusal(api, namespace, pod(), dry_run="All") == ""

        await eventually(counted, seconds=60)
        await eventually(taken, seconds=60)


async def may(api: client.ApiClient, namespace: str, verb: str, resource: str) -> bool:
    resource, _, subresource = resource.partition("/")
    asked = client.V1ResourceAttributes(namespace=namespace, verb=verb, resource=resource, subresource=subresource)
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked))
    answer = await client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    return bool(answer.status.allowed)


def pod(**spec: Any) -> dict[str, Any]:
    """A pod that a namespace under `restricted` takes."""
    container = {
        "name": "base", "image": "job", "imagePullPolicy": "Never",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    secure = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    body = {"containers": [container], "securityContext": secure, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}, "spec": body}


async def refusal(api: client.ApiClient, namespace: str, body: dict[str, Any], **how: str) -> str:
    """What the API server says to that pod; "" where it takes it."""
    pods: Any = client.CoreV1Api(api)
    try:
        await pods.create_namespaced_pod(namespace, body, **how)
    except ApiException as error:
        return str(json.loads(error.body or "")["message"])
    return ""


async def test_a_runner_runs_pods_in_its_team_s_namespace_and_sees_no_other(systems: Systems) -> None:
    ads, news = await onboard(systems), await onboard(systems)
    own, other = ads.names.namespace, news.names.namespace
    needed = [
        ("create", "pods"), ("watch", "pods"), ("get", "pods/log"), ("get", "pods/exec"), ("list", "events"),
        ("create", "secrets"), ("delete", "services"),
    ]  # fmt: skip
    async with as_runner(systems, ads) as api:
        allowed = {asked: await may(api, own, *asked) for asked in needed}
        abroad = {asked: await may(api, other, *asked) for asked in needed}
        too_much = {
            asked: await may(api, own, *asked)
            for asked in [
                *((verb, "secrets") for verb in ("get", "list", "patch", "delete")),
                ("patch", "resourcequotas"),
                ("get", "namespaces"),
            ]
        }
        taken = await refusal(api, own, pod(serviceAccountName="job"))
        refused = await refusal(api, other, pod())

    assert set(allowed.values()) == {True}
    assert set(abroad.values()) == {False}
    assert set(too_much.values()) == {False}
    assert taken == ""
    assert f'cannot create resource "pods" in API group "" in the namespace "{other}"' in refused


async def test_quota_and_pod_security_hold_for_the_team_s_pods(systems: Systems) -> None:
    team = await onboard(systems)
    async with as_runner(systems, team) as api:
        privileged = pod(
            containers=[
                {"name": "base", "image": "job", "imagePullPolicy": "Never", "securityContext": {"privileged": True}}
            ]
        )
        insecure = await refusal(api, team.names.namespace, privileged)
        said = [await refusal(api, team.names.namespace, pod()) for _ in range(3)]

    assert 'violates PodSecurity "restricted:latest"' in insecure
    assert said[:2] == ["", ""]
    assert "exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2" in said[2]


async def test_a_suspended_team_s_runner_is_refused_at_once_and_comes_back(systems: Systems) -> None:
    team = await onboard(systems)
    suspended = changed(team, lifecycle="Suspended", kubernetes={"quota": {"pods": 2}})
    async with as_runner(systems, team) as api:
        before = await refusal(api, team.names.namespace, pod())
        await systems.kubernetes_provisioner().apply(suspended)
        after = await refused_in_time(api, team.names.namespace)
        await systems.kubernetes_provisioner().apply(team)
        await in_force(systems, team)
        again = await refusal(api, team.names.namespace, pod())

    assert before == ""
    assert "is forbidden" in after
    assert again == ""


async def refused_in_time(api: client.ApiClient, namespace: str) -> str:
    """The first refusal: the authorizer hears of a binding's end by a watch. Nothing is made meanwhile: to delete it
    might be what is refused."""
    async with asyncio.timeout(60):
        while not (said := await refusal(api, namespace, pod(), dry_run="All")):
            pass
    return said


async def test_a_deleted_team_s_token_is_good_for_nothing_and_its_namespace_stays(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    team = await onboard(systems)
    async with as_runner(systems, team) as api:
        await systems.kubernetes_provisioner().apply(changed(team, lifecycle="Deleted"))
        async with asyncio.timeout(30):
            while not await unknown(api):
                pass

    async with reaching(kubernetes) as core:
        assert (await core.read_namespace(team.names.namespace)).status.phase == "Active"


async def unknown(api: client.ApiClient) -> bool:
    try:
        await may(api, "default", "get", "pods")
    except ApiException as error:
        return bool(error.status == 401)
    return False


async def test_a_person_s_change_is_left_stated_and_taken_back_on_request(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    team = await onboard(systems)
    namespace, provisioner = team.names.namespace, systems.kubernetes_provisioner()
    async with reaching(kubernetes) as core:
        by_hand = {"spec": {"hard": {"pods": "99"}}}
        await core.patch_namespaced_resource_quota(
            "team", namespace, by_hand, field_manager="kubectl-edit", _content_type="application/merge-patch+json"
        )
        planned = await provisioner.plan(team)
        applied = await provisioner.apply(team)
        left = (await core.read_namespaced_resource_quota("team", namespace)).spec.hard
        forced = await provisioner.apply(changed(team, kubernetes={"quota": {"pods": 2}, "force": True}))
        taken = (await core.read_namespaced_resource_quota("team", namespace)).spec.hard

    drift = f"resourcequota.set {namespace}/team: .spec.hard.pods 99 -> 2 (set by kubectl-edit)"
    assert [str(change) for change in planned] == [drift]
    assert f"ResourceQuota {namespace}/team: .spec.hard.pods is set by kubectl-edit" in applied.conflict
    assert left == {"pods": "99"}
    assert [str(change) for change in forced.changes] == [drift]
    assert taken == {"pods": "2"}


async def test_a_namespace_that_is_not_the_team_s_is_left_alone(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    team = new_team()
    async with reaching(kubernetes) as core:
        await core.create_namespace({"metadata": {"name": team.names.namespace}})

        with pytest.raises(ProvisioningFailed, match="was not made for this team"):
            await systems.kubernetes_provisioner().apply(team)

        quotas = await core.list_namespaced_resource_quota(team.names.namespace)
    assert quotas.items == []


async def test_tenancy_s_own_identity_reaches_no_namespace_but_teams(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    """Neither by its role nor, where a role can't tell namespaces apart, by its hands."""
    cluster = ApiCluster(kubernetes.tenancy_kubeconfig)
    elsewhere: Manifest = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "door", "namespace": "kube-system"},
    }  # fmt: skip
    other: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}}

    for manifest in (elsewhere, other):
        with pytest.raises(ProvisioningFailed, match="namespaces of teams"):
            await cluster.apply(manifest)
    with pytest.raises(ProvisioningFailed, match="namespaces of teams"):
        await cluster.token("kube-system", "default", 600)


async def test_a_team_on_the_shared_volume_has_a_claim_that_is_bound_and_nobody_else_s(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    """A claim that somebody deletes is made again and said; what the condition says to do binds it."""
    team = new_team(storage={"backend": "directory"})
    provisioner = systems.kubernetes_provisioner()
    await provisioner.apply(team)
    async with reaching(kubernetes) as core:
        await bound(core, team)
        settled = await provisioner.plan(team)
        await core.delete_namespaced_persistent_volume_claim(VOLUME_CLAIM, team.names.namespace)
        async with asyncio.timeout(30):
            while (await core.read_persistent_volume(team.names.volume)).status.phase != "Released":
                pass

        stated = await provisioner.apply(team)
        await core.patch_persistent_volume(team.names.volume, {"spec": {"claimRef": {"uid": None}}})
        await bound(core, team)
        after = await provisioner.apply(team)

    assert settled == ()
    assert f"PersistentVolume {team.names.volume} is Released" in stated.conflict
    assert [change.action for change in stated.changes] == ["persistentvolumeclaim.create"]
    assert (after.changes, after.conflict) == ((), "")


async def bound(core: Any, team: Wanted) -> None:
    """Until the team's claim is bound to the team's volume."""
    async with asyncio.timeout(60):
        while True:
            claim = await core.read_namespaced_persistent_volume_claim(VOLUME_CLAIM, team.names.namespace)
            if claim.status.phase == "Bound":
                break
    assert claim.spec.volume_name == team.names.volume


async def test_tenancy_makes_volumes_for_claims_of_their_own_team_and_deletes_none(
    systems: Systems, kubernetes: RunningKubernetes
) -> None:
    """Else its hands could lay any directory of a node into any namespace."""
    cluster, team, other = ApiCluster(kubernetes.tenancy_kubeconfig), new_team(), new_team()

    def volume(name: str, namespace: str) -> Manifest:
        spec = {
            "hostPath": {"path": "/"}, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
            "claimRef": {"namespace": namespace, "name": VOLUME_CLAIM},
        }  # fmt: skip
        return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}

    with pytest.raises(ProvisioningFailed, match="namespaces of teams"):
        await cluster.apply(volume("elsewhere", team.names.namespace))
    for namespace in (other.names.namespace, "kube-system"):
        with pytest.raises(ProvisioningFailed, match="a team's volume is for a claim of the team's own namespace"):
            await cluster.apply(volume(team.names.volume, namespace))
    with pytest.raises(ProvisioningFailed, match="cannot delete resource"):
        await cluster.remove(Ref("v1", "PersistentVolume", "", team.names.volume))


@pytest.fixture(params=["api", "memory"])
def cluster(request: pytest.FixtureRequest, kubernetes: RunningKubernetes) -> Cluster:
    return ApiCluster(kubernetes.tenancy_kubeconfig) if request.param == "api" else MemoryCluster()


async def test_both_clusters_apply_remove_and_find_alike(cluster: Cluster) -> None:
    name = new_team().names.namespace
    home: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

    def quota(**hard: str) -> Manifest:
        metadata = {"name": "team", "namespace": name}
        return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}

    def account(name_: str) -> Manifest:
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name_, "namespace": name}}

    await cluster.apply(home)
    await cluster.apply(quota(pods="1", secrets="2"))
    await cluster.apply(quota(pods="9"), dry=True)
    await cluster.apply(account("door"))

    found: Any = await cluster.find(Ref.of(quota()))
    assert found["spec"]["hard"] == {"pods": "1", "secrets": "2"}

    await cluster.apply(quota(pods="3"))
    await cluster.remove(Ref.of(account("door")))
    await cluster.remove(Ref.of(account("door")))

    found = await cluster.find(Ref.of(quota()))
    assert found["spec"]["hard"] == {"pods": "3"}
    assert await cluster.find(Ref.of(account("door"))) is None


async def test_both_clusters_leave_fields_of_another_manager(cluster: Cluster, kubernetes: RunningKubernetes) -> None:
    name = new_team().names.namespace
    labelled: Manifest = {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"level": "ours"}},
    }  # fmt: skip
    theirs: Manifest = {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"level": "theirs"}},
    }  # fmt: skip
    await cluster.apply(labelled)
    if isinstance(cluster, MemoryCluster):
        await MemoryCluster("another", cluster.kept).apply(theirs, force=True)
    else:
        async with reaching(kubernetes) as core:
            await core.patch_namespace(
                name, theirs, field_manager="another", force=True, _content_type="application/apply-patch+yaml"
            )

    with pytest.raises(FieldsHeld, match=r"\.metadata\.labels\.level is set by another"):
        await cluster.apply(labelled)
    await cluster.apply(labelled, force=True)
    again: Any = await cluster.apply(labelled)

    assert again["metadata"]["labels"]["level"] == "ours"
