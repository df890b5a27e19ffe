"""Kubernetes of the stack: a real API server, a real kubelet, pods that run, and nothing left of them afterwards."""

import os
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient
from outrider_local import procfs
from outrider_local.components import all_components
from outrider_local.handles import RunningKubernetes
from outrider_local.kubernetes import container_runtime, machine, network, sockets
from outrider_local.removal import remove
from outrider_local.runner import bring_up, with_needs
from outrider_local.stack import Stack

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SHARED = [{"name": "shared", "mountPath": "/shared"}]
SECONDS = 120


class Namespace:
    """A namespace where PodSecurity `restricted` holds, and the pods in it."""

    def __init__(self, api: client.ApiClient, name: str) -> None:
        self.core = client.CoreV1Api(api)
        self.name = name

    async def start(self, spec: Mapping[str, Any]) -> str:
        """Create a pod of *spec*, with what `restricted` asks for filled in; return its name."""
        confined = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1234,
                "runAsGroup": 1234,
                "fsGroup": 1234,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
        }
        name = f"pod-{uuid.uuid4().hex[:8]}"
        body: Any = {"metadata": {"name": name}, "spec": confined}
        await self.core.create_namespaced_pod(self.name, body)
        return name

    async def until(self, pod: str, *phases: str) -> client.V1Pod:
        """The pod, once it is in one of *phases*."""
        told = {"field_selector": f"metadata.name={pod}", "timeout_seconds": SECONDS}
        async with watch.Watch().stream(self.core.list_namespaced_pod, self.name, **told) as events:
            async for event in events:
                found: client.V1Pod = event["object"]
                if found.status.phase in phases:
                    return found
        raise AssertionError(f"{pod} was in none of {phases} for {SECONDS} s")

    async def run(self, spec: Mapping[str, Any]) -> client.V1Pod:
        """The pod of *spec*, once it has ended."""
        return await self.until(await self.start(spec), "Succeeded", "Failed")

    async def logs(self, pod: client.V1Pod) -> str:
        """What the pod printed."""
        answer: Any = await self.core.read_namespaced_pod_log(pod.metadata.name, self.name, _preload_content=False)
        return str(await answer.text())


@asynccontextmanager
async def namespace_of(kubernetes: RunningKubernetes) -> AsyncIterator[Namespace]:
    async with await config.new_client_from_config(str(kubernetes.kubeconfig)) as api:
        name = f"test-{uuid.uuid4().hex[:8]}"
        body: Any = {"metadata": {"name": name, "labels": RESTRICTED}}
        await client.CoreV1Api(api).create_namespace(body)
        yield Namespace(api, name)
        await client.CoreV1Api(api).delete_namespace(name)


@pytest.fixture
async def namespace(kubernetes_node: RunningKubernetes) -> AsyncIterator[Namespace]:
    """A namespace on the cluster with a node."""
    async with namespace_of(kubernetes_node) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RunningKubernetes]:
    """The cluster of a second stack, with a node of its own."""
    stack = Stack.open(tmp_path / "other")
    components = with_needs(["node"], all_components())
    try:
        outcome = bring_up(stack, components)
        assert not outcome.failed, outcome.failed
        yield RunningKubernetes(stack)
    finally:
        remove(stack, components)


def container(image: str, *command: str, **more: object) -> dict[str, object]:
    return {
        "name": "base",
        "image": image,
        "imagePullPolicy": "Never",
        "command": list(command),
        "securityContext": CONFINED,
        **more,
    }


def kill(stack: Stack, process: str) -> None:
    pid = stack.processes.pid(process)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def up(stack: Stack, *names: str) -> None:
    outcome = bring_up(stack, with_needs(names, all_components()))
    assert not outcome.failed, outcome.failed


async def test_who_has_no_role_may_do_nothing(kubernetes: RunningKubernetes) -> None:
    kubeconfig = kubernetes.kubeconfig_of("alice", "team-ads")

    async with await config.new_client_from_config(str(kubeconfig)) as api:
        review = await client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
        with pytest.raises(client.ApiException, match="Forbidden"):
            await client.CoreV1Api(api).list_namespaced_pod("default")

    assert review.status.user_info.username == "alice"
    assert "team-ads" in review.status.user_info.groups


async def test_a_namespace_refuses_what_its_policy_refuses(kubernetes: RunningKubernetes) -> None:
    async with namespace_of(kubernetes) as namespace:
        with pytest.raises(client.ApiException, match='violates PodSecurity \\\\"restricted:latest\\\\"'):
            await namespace.start({"containers": [container("any", "true", securityContext={"privileged": True})]})


async def test_objects_outlive_the_death_of_store_and_api_server(kubernetes: RunningKubernetes) -> None:
    async with namespace_of(kubernetes) as namespace:
        body: Any = {"metadata": {"name": "kept"}, "data": {"answer": "42"}}
        await namespace.core.create_namespaced_config_map(namespace.name, body)
        for process in ("kubernetes-etcd", "kubernetes-apiserver"):
            kill(kubernetes.stack, process)

        up(kubernetes.stack, "kubernetes")

        kept = await namespace.core.read_namespaced_config_map("kept", namespace.name)
        assert kept.data == {"answer": "42"}


async def test_a_pod_runs_to_its_end_and_says_how(kubernetes_node: RunningKubernetes, namespace: Namespace) -> None:
    image = kubernetes_node.job_image

    good = await namespace.run({"containers": [container(image, "sh", "-c", "id -u; echo done")]})
    bad = await namespace.run({"containers": [container(image, "sh", "-c", "echo sorry >&2; exit 3")]})

    assert good.status.phase == "Succeeded"
    assert await namespace.logs(good) == "1234\ndone\n"
    assert bad.status.phase == "Failed"
    assert bad.status.container_statuses[0].state.terminated.exit_code == 3
    assert await namespace.logs(bad) == "sorry\n"


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "echo $((6 * 7))"),
        ("python3", "-c", "print(6 * 7)"),
        ("perl", "-e", 'print 6 * 7, "\\n"'),
        ("awk", "BEGIN { print 6 * 7 }"),
    ],
    ids=lambda command: command[0],
)
async def test_jobs_come_in_many_languages(
    kubernetes_node: RunningKubernetes, namespace: Namespace, command: tuple[str, ...]
) -> None:
    pod = await namespace.run({"containers": [container(kubernetes_node.job_image, *command)]})

    assert await namespace.logs(pod) == "42\n"


async def test_the_stager_image_has_the_stager(kubernetes_node: RunningKubernetes, namespace: Namespace) -> None:
    program = "import outrider_contracts, outrider_stage.s3; print(outrider_stage.__cached__)"

    pod = await namespace.run({"containers": [container(kubernetes_node.stager_image, "python3", "-c", program)]})

    said = await namespace.logs(pod)
    assert pod.status.phase == "Succeeded", said
    assert said.startswith("/opt/outrider/sources/outrider_stage/__pycache__")


async def test_a_pod_that_eats_too_much_is_killed_for_it(
    kubernetes_node: RunningKubernetes, namespace: Namespace
) -> None:
    greedy = container(
        kubernetes_node.job_image, "python3", "-c", "bytearray(400 << 20)", resources={"limits": {"memory": "64Mi"}}
    )

    pod = await namespace.run({"containers": [greedy]})

    assert pod.status.container_statuses[0].state.terminated.reason == "OOMKilled"


async def test_a_pod_reaches_the_api_server_by_its_name_and_nothing_else_of_this_machine(
    kubernetes_node: RunningKubernetes, namespace: Namespace
) -> None:
    program = f"""
import json, socket, ssl, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount/"
request = urllib.request.Request(
    "{kubernetes_node.pod_api_server}/apis/authentication.k8s.io/v1/selfsubjectreviews",
    data=json.dumps({{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}}).encode(),
    headers={{"Content-Type": "application/json", "Authorization": "Bearer " + open(account + "token").read()}})
context = ssl.create_default_context(cafile=account + "ca.crt")
with urllib.request.urlopen(request, context=context, timeout=10) as answer:
    print(json.load(answer)["status"]["userInfo"]["username"])
for host, port in (("127.0.0.1", {kubernetes_node.server.rpartition(":")[2]}), ("{kubernetes_node.gateway}", 1)):
    with socket.socket() as closed:
        print(closed.connect_ex((host, port)) != 0)
"""
    spec = {
        "automountServiceAccountToken": True,
        "hostAliases": [kubernetes_node.pod_api_host_alias],
        "containers": [container(kubernetes_node.job_image, "python3", "-c", program)],
    }

    pod = await namespace.run(spec)

    said = await namespace.logs(pod)
    assert said == f"system:serviceaccount:{namespace.name}:default\nTrue\nTrue\n"


async def test_a_pod_reaches_the_objects(kubernetes_node: RunningKubernetes, namespace: Namespace, s3: object) -> None:
    url = f"http://{kubernetes_node.forwarded('s3')}/_ministack/ready"
    program = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).status)"

    pod = await namespace.run({"containers": [container(kubernetes_node.job_image, "python3", "-c", program)]})

    assert await namespace.logs(pod) == "200\n"


async def test_one_pod_reaches_another(kubernetes_node: RunningKubernetes, namespace: Namespace) -> None:
    image = kubernetes_node.job_image
    server = await namespace.start({"containers": [container(image, "python3", "-m", "http.server", "8000")]})
    serving = await namespace.until(server, "Running")
    program = f"""
import time, urllib.request
for _ in range(100):
    try:
        print(urllib.request.urlopen("http://{serving.status.pod_ip}:8000/", timeout=5).status)
        break
    except OSError:
        time.sleep(0.1)
"""

    pod = await namespace.run({"containers": [container(image, "python3", "-c", program)]})

    assert await namespace.logs(pod) == "200\n"


async def test_a_sidecar_starts_before_the_job_and_is_told_to_stop_after_it(
    kubernetes_node: RunningKubernetes, namespace: Namespace
) -> None:
    """What carries files in is done before, what carries them out is asked to when the job is over."""
    waits = """
import signal, sys
def stop(*_):
    with open("/shared/order", "a+") as order:
        print("told", file=order, flush=True)
        order.seek(0)
        open("/dev/termination-log", "w").write(order.read())
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", file=open("/shared/order", "a"), flush=True)
while True:
    signal.pause()
"""
    image = kubernetes_node.job_image
    # with resources, as a namespace with a quota asks for: a kubelet without cgroups per pod dies of such a sidecar
    mounted = {"volumeMounts": SHARED, "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}}}
    looks = {"periodSeconds": 1, "timeoutSeconds": 10, "failureThreshold": 30}  # by default one has 1 s
    probe = {"exec": {"command": ["grep", "-q", "ready", "/shared/order"]}, **looks}
    spec = {
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [
            {**container(image, "sh", "-c", "echo in > /shared/order", **mounted), "name": "in"},
            {
                **container(image, "python3", "-c", waits, restartPolicy="Always", startupProbe=probe, **mounted),
                "name": "out",
            },
        ],
        "containers": [container(image, "sh", "-c", "echo job >> /shared/order", **mounted)],
    }

    pod = await namespace.run(spec)

    out = next(status for status in pod.status.init_container_statuses if status.name == "out")
    assert pod.status.phase == "Succeeded"
    assert out.state.terminated.message.split() == ["in", "ready", "job", "told"]


async def test_a_command_runs_in_a_pod(kubernetes_node: RunningKubernetes, namespace: Namespace) -> None:
    name = await namespace.start({"containers": [container(kubernetes_node.job_image, "sleep", "600")]})
    await namespace.until(name, "Running")

    settings = client.Configuration()
    await config.load_kube_config(str(kubernetes_node.kubeconfig), client_configuration=settings)
    command: Any = ["echo", "hello"]
    async with WsApiClient(settings) as api:
        said = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            name, namespace.name, command=command, stdout=True, stderr=True, stdin=False, tty=False
        )

    assert said == "hello\n"


async def test_pods_outlive_the_death_of_kubelet_and_runtime(
    kubernetes_node: RunningKubernetes, namespace: Namespace
) -> None:
    stack = kubernetes_node.stack
    program = 'import pathlib, time\nwhile not pathlib.Path("/shared/go").exists(): time.sleep(0.1)\nprint("went on")'
    waiting = container(kubernetes_node.job_image, "python3", "-c", program, volumeMounts=SHARED)
    name = await namespace.start({"containers": [waiting], "volumes": [{"name": "shared", "emptyDir": {}}]})
    pod = await namespace.until(name, "Running")
    for process in ("node-kubelet", "node-containerd", "node-forwarder"):
        kill(stack, process)

    up(stack, "node")
    volumes = container_runtime.data(stack) / "kubelet/pods" / pod.metadata.uid / "volumes"
    (volumes / "kubernetes.io~empty-dir/shared/go").touch()

    ended = await namespace.until(name, "Succeeded", "Failed")
    assert await namespace.logs(ended) == "went on\n"
    assert ended.status.container_statuses[0].restart_count == 0


async def test_two_stacks_have_pods_side_by_side_and_one_that_ends_leaves_nothing(
    kubernetes_node: RunningKubernetes, namespace: Namespace, other: RunningKubernetes
) -> None:
    theirs = other.stack
    async with namespace_of(other) as beside:
        pod = await beside.until(
            await beside.start({"containers": [container(other.job_image, "sleep", "600")]}), "Running"
        )
        gateway, data = other.gateway, container_runtime.data(theirs)
        assert gateway != kubernetes_node.gateway
        assert network.PODS.supernet_of(network.subnet(machine.claim(theirs)))
        assert pod.status.pod_ip.rpartition(".")[0] == gateway.rpartition(".")[0]
        assert mounts_below(data)

    remove(theirs, with_needs(["node"], all_components()))

    assert not mounts_below(data)
    assert not data.exists()
    assert not sockets.directory(theirs).exists()
    assert not [pid for pid in procfs.living() if str(data).encode() in b"\0".join(procfs.arguments(pid))]
    assert not [pid for pid in procfs.living() if str(sockets.directory(theirs)).encode() in procfs.arguments(pid)]
    assert gateway not in shown("ip", "address")
    assert pod.status.pod_ip not in shown("ip", "route")
    assert machine.claimed(theirs) is None
    mine = await namespace.run({"containers": [container(kubernetes_node.job_image, "true")]})
    assert mine.status.phase == "Succeeded"


def mounts_below(directory: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(directory) in line]


def shown(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
