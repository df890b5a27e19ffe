"""A node for pods: containerd, kubelet, a network of its own, and the forwarder to the stack's services."""

import os
import shutil
import sys
from collections.abc import Mapping

from outrider_local import prerequisites
from outrider_local.errors import MissingPrerequisite, StackError
from outrider_local.kubernetes import (
    cgroups,
    container_runtime,
    control_plane,
    given,
    images,
    kubelet,
    leftovers,
    machine,
    network,
    programs,
    sockets,
)
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "node"
KUBELET, FORWARDER = "node-kubelet", "node-forwarder"
_PROCESSES = (container_runtime.PROCESS, KUBELET, FORWARDER)
_START_SECONDS = 180  # a few on a machine of its own


class Node:
    """This machine as the only node of the stack's own cluster."""

    name = NAME
    after: tuple[str, ...] = (control_plane.NAME,)

    def install(self, stack: Stack) -> None:
        if given.kubeconfig(stack):
            return
        _require_root()
        for program in prerequisites.NODE:
            prerequisites.require(program)
        programs.build(stack.layout)
        images.build(stack.layout)

    def start(self, stack: Stack) -> None:
        if given.kubeconfig(stack):
            return
        network.require_forwarding()
        number = machine.claim(stack)
        network.add_gateway(number)
        plugins = container_runtime.network_configuration(stack)
        plugins.parent.mkdir(parents=True, exist_ok=True)
        plugins.write_text(network.plugin_configuration(_network_name(stack), number, plugins.parent / "addresses"))
        container_runtime.start(stack, images.pause(stack.layout).name)
        present = container_runtime.images(stack)
        for image in images.all_images(stack.layout):
            if image.name not in present:
                container_runtime.load(stack, image.write)
        stack.processes.start(FORWARDER, _forwarder(stack, number))
        cgroups.make(stack)
        stack.processes.start(KUBELET, kubelet.command(stack, network.gateway(number)))
        stack.await_all_ready(_PROCESSES, lambda: self.ready(stack), seconds=_START_SECONDS)
        room = shutil.disk_usage(container_runtime.data(stack)).free
        control_plane.api(stack).offer_room(kubelet.NODE, room)

    def ready(self, stack: Stack) -> bool:
        if given.kubeconfig(stack):
            return True
        return (
            all(map(stack.processes.alive, _PROCESSES))
            and kubelet.answers(stack)
            and control_plane.api(stack).node_is_ready(kubelet.NODE)
        )

    def stop(self, stack: Stack) -> None:
        number = machine.claimed(stack)
        if number is None:  # it never ran, or ended with the machine
            for process in _PROCESSES:
                stack.processes.stop(process)
            return
        control_plane.api(stack).forget_running_pods(kubelet.NODE)
        for process in (KUBELET, FORWARDER):
            stack.processes.stop(process)
        container_runtime.stop(stack)
        leftovers.unmount(container_runtime.data(stack), sockets.directory(stack))
        network.remove_gateway(number)
        sockets.remove(stack, "containerd", "containerd.sock", "containerd.sock.ttrpc")
        leftovers.remove(_network_name(stack), kubelet.pod_logs(stack))
        cgroups.remove(stack)
        if machine.release(stack):
            leftovers.remove_places()

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        number = machine.claimed(stack)
        return {} if number is None else {"pods": str(network.subnet(number)), "gateway": network.gateway(number)}


def claimed(stack: Stack) -> bool:
    """Whether the stack has a node of its own that runs, or was killed and not yet taken down."""
    return machine.claimed(stack) is not None


def gateway(stack: Stack) -> str:
    """Address of this machine as pods see it. Raises StackError where there is no node."""
    number = machine.claimed(stack)
    if number is None:
        raise StackError("this stack has no node for pods; `outrider up --with kubernetes` starts one.")
    return network.gateway(number)


def forwarded(stack: Stack, port: str) -> str:
    """Where pods reach *port* of network.FORWARDED."""
    if port not in network.FORWARDED:
        raise StackError(f"{port} is not forwarded to pods; these are: {', '.join(network.FORWARDED)}.")
    return f"{gateway(stack)}:{stack.ports.of(port)}"


def _network_name(stack: Stack) -> str:
    return f"outrider-{stack.state.now.id[:12]}"


def _forwarder(stack: Stack, number: int) -> Command:
    ports = [stack.ports.of(name) for name in network.FORWARDED]
    program = str(programs.program(stack.layout, "forwarder"))
    routes = (f"{port}=127.0.0.1:{port}" for port in ports)
    return Command(argv=(program, "-listen", network.gateway(number), *routes), cwd=stack.layout.home)


def _require_root() -> None:
    if sys.platform != "linux":
        raise MissingPrerequisite(
            "pods run on Linux only; name another cluster: outrider up --with kubernetes --kubeconfig FILE"
        )
    if os.geteuid() != 0:
        raise MissingPrerequisite(
            "a node for pods needs root: run `sudo make up` with it, or name another cluster: "
            "outrider up --with kubernetes --kubeconfig FILE"
        )
