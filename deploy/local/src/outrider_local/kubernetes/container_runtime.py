"""containerd of one stack: its configuration, its images, and the end of all its pods."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import IO

from outrider_local import cache, prerequisites, procfs, unprivileged
from outrider_local.errors import StartFailed
from outrider_local.kubernetes import programs, sockets
from outrider_local.processes import Command
from outrider_local.stack import Stack

PROCESS = "node-containerd"
_NAMESPACE = "k8s.io"


def data(stack: Stack) -> Path:
    """Where a node's files lie: not in the home, since the kubelet's sockets below it need a short path."""
    return unprivileged.outside(stack.layout) / "node"


def socket(stack: Stack) -> Path:
    """Where containerd is asked."""
    return sockets.directory(stack) / "containerd.sock"


def network_configuration(stack: Stack) -> Path:
    """The file that says which network pods get."""
    return data(stack) / "cni" / "10-outrider.conflist"


def start(stack: Stack, pause_image: str) -> None:
    """Have containerd running. Pods outlive its death: they hang on processes of their own."""
    command = _command(stack, pause_image)
    stack.processes.start(PROCESS, command)
    stack.await_ready(PROCESS, lambda: answers(stack), seconds=30)


def answers(stack: Stack) -> bool:
    """Say whether containerd serves."""
    return socket(stack).exists() and _ctr(stack, "version").returncode == 0


def images(stack: Stack) -> frozenset[str]:
    """Names of the images it has."""
    return frozenset(_ctr(stack, "images", "list", "-q").stdout.split())


def load(stack: Stack, write: Callable[[IO[bytes]], None]) -> None:
    """Have it take the image that *write* writes as a Docker archive. Raises StartFailed."""
    with subprocess.Popen(
        _arguments(stack, "images", "import", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stderr is not None
        try:
            write(child.stdin)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it says why
        said = child.stderr.read().decode(errors="replace")
    if child.returncode:
        raise StartFailed(f"containerd refused an image: {said.strip()}")


def remove_pods(stack: Stack) -> None:
    """End all pods and take away all they had. Raises StartFailed where one of them stays."""
    remover = str(programs.program(stack.layout, "remove-pods"))
    done = subprocess.run([remover, str(socket(stack))], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"not all pods could be ended: {done.stderr.strip()}")


def stop(stack: Stack) -> None:
    """Stop it, and what holds pods that it has lost."""
    stack.processes.stop(PROCESS)
    for pid in _shims(stack):
        subprocess.run(["kill", "-KILL", str(pid)], check=False)


def _shims(stack: Stack) -> list[int]:
    address = str(socket(stack)).encode()
    return [
        pid for pid in procfs.living() if address in procfs.arguments(pid) and b"-namespace" in procfs.arguments(pid)
    ]


def _command(stack: Stack, pause_image: str) -> Command:
    directory = data(stack)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = Template(cache.packaged("containerd.toml")).substitute(
        data=directory,
        sockets=sockets.make(stack),
        socket=socket(stack),
        pause=pause_image,
        plugins=prerequisites.find_network_plugins(),
    )
    configuration = directory / "containerd.toml"
    configuration.write_text(text)
    containerd = prerequisites.require(prerequisites.CONTAINERD)
    return Command(
        # not marked as ours, nor is then what it starts: `up` after its death must not end the pods it left
        argv=("env", "-u", procfs.MARK, containerd, "--config", str(configuration)),
        cwd=directory,
        configuration=text,
    )


def _ctr(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_arguments(stack, *arguments), capture_output=True, text=True, check=False, timeout=60)


def _arguments(stack: Stack, *arguments: str) -> list[str]:
    return ["ctr", "--address", str(socket(stack)), "--namespace", _NAMESPACE, *arguments]
