"""The kubelet of one stack: it listens on 127.0.0.1, keeps its files to itself, and leaves the machine's disk alone."""

import json
import ssl
from pathlib import Path

import httpx

from outrider_local.kubernetes import cgroups, container_runtime, control_plane, programs
from outrider_local.processes import Command
from outrider_local.stack import Stack

NODE = "localhost"
"""Name of the node: the API server calls the kubelet by it, for logs and commands in pods."""
PORT = "node-kubelet"
_SYSTEM = ("system:masters",)
_PRESSURES = ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree")
_CALLER = "kube-apiserver-kubelet-client"


def command(stack: Stack, address: str) -> Command:
    """The kubelet of the node at *address*."""
    directory = container_runtime.data(stack)
    text = json.dumps(_configuration(stack), indent=1)
    configuration = directory / "kubelet.json"
    configuration.write_text(text)
    user = control_plane.identities(stack).kubeconfig(f"system:node:{NODE}", ("system:nodes",))
    return Command(
        argv=(
            str(programs.program(stack.layout, "kubelet")),
            f"--config={configuration}",
            f"--kubeconfig={user}",
            f"--hostname-override={NODE}",
            f"--node-ip={address}",
            f"--root-dir={directory / 'kubelet'}",
        ),
        cwd=directory,
        configuration=text,
    )


def pod_logs(stack: Stack) -> Path:
    """Where the logs of its pods lie."""
    return container_runtime.data(stack) / "pod-logs"


def answers(stack: Stack) -> bool:
    """Say whether the kubelet itself is well; what the API server knows of it may be old."""
    who = control_plane.identities(stack)
    context = ssl.create_default_context(cafile=str(who.ca_file))
    context.load_cert_chain(*who.client(_CALLER, _SYSTEM))
    try:
        address = f"https://127.0.0.1:{stack.ports.of(PORT)}/healthz"
        return httpx.get(address, verify=context, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _configuration(stack: Stack) -> dict[str, object]:
    who = control_plane.identities(stack)
    certificate, key = who.serving("kubelet")
    directory = container_runtime.data(stack)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": stack.ports.of(PORT),
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(who.ca_file)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificate),
        "tlsPrivateKeyFile": str(key),
        "containerRuntimeEndpoint": f"unix://{container_runtime.socket(stack)}",
        "podLogsDir": str(pod_logs(stack)),
        "volumePluginDir": str(directory / "volume-plugins"),
        # a hierarchy of this stack's own, as each kubelet ends what it does not know below its root; without one per
        # pod this kubelet dies of a sidecar with resources that outlives the job
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(stack)}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "makeIPTablesUtilChains": False,
        # images come from us, once, and the disk is not this node's alone
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": dict.fromkeys(_PRESSURES, "0%"),
    }
