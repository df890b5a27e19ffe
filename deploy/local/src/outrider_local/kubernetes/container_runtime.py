"""containerd of one stack: its configuration, its images, and the end of all its pods."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
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
    directory = data(stack)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = Template(cache.packaged("containerd.toml")).substitute(
        data=directory,
        sockets=sockets.make(stack),
        socket=socket(stack),
        pause=pause_image,
        plugins=prerequisites.require(prerequisites.NETWORK_PLUGINS),
    )
    _configuration(stack).write_text(text)
    # kept beside: it ends the pods, also when the cache holds the programs of other sources by then
    shutil.copy2(programs.program(stack.layout, "remove-pods"), _remover(stack))
    _run(stack)


def _run(stack: Stack) -> None:
    containerd = prerequisites.require(prerequisites.CONTAINERD)
    command = Command(
        # not marked as ours, nor is then what it starts: `up` after its death must not end the pods it left
        argv=("env", "-u", procfs.MARK, containerd, "--config", str(_configuration(stack))),
        cwd=data(stack),
        configuration=_configuration(stack).read_text(),
    )
    stack.processes.start(PROCESS, command)
    stack.await_ready(PROCESS, lambda: answers(stack), seconds=90)


def answers(stack: Stack) -> bool:
    """Say whether containerd serves."""
    try:
        return socket(stack).exists() and _ctr(stack, "version").returncode == 0
    except subprocess.TimeoutExpired:
        return False


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


def stop(stack: Stack) -> None:
    """End all pods with all they had, and stop containerd. Raises StartFailed where one of them stays."""
    if _remover(stack).exists():
        _run(stack)  # it may have died; its pods have not
        done = subprocess.run([_remover(stack), socket(stack)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartFailed(f"not all pods could be ended: {done.stderr.strip()}")
    stack.processes.stop(PROCESS)
    for pid in _shims(stack):  # of pods it has lost
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _shims(stack: Stack) -> list[int]:
    address = str(socket(stack)).encode()
    return [
        pid for pid in procfs.living() if address in procfs.arguments(pid) and b"-namespace" in procfs.arguments(pid)
    ]


def _configuration(stack: Stack) -> Path:
    return data(stack) / "containerd.toml"


def _remover(stack: Stack) -> Path:
    return data(stack) / "remove-pods"


def _ctr(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_arguments(stack, *arguments), capture_output=True, text=True, check=False, timeout=60)


def _arguments(stack: Stack, *arguments: str) -> list[str]:
    return ["ctr", "--address", str(socket(stack)), "--namespace", _NAMESPACE, *arguments]
