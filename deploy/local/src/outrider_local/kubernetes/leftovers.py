"""What a node leaves on the machine when it ends, taken away: mounts, networks of killed pods, empty directories."""

import contextlib
import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_MNT_DETACH = 2
_NETWORK_RESULTS = Path("/var/lib/cni/results")
# where kubelet and containerd put things without asking, all of it empty once the last node has ended
_PLACES = (
    Path("/var/log/containers"),
    Path("/var/lib/kubelet/device-plugins"),
    Path("/var/lib/kubelet"),
    Path("/run/containerd/s"),
    Path("/run/containerd/runc/k8s.io"),
    Path("/run/containerd/runc"),
    Path("/run/containerd"),
    _NETWORK_RESULTS,
    _NETWORK_RESULTS.parent,
)
_FILES = (Path("/var/lib/kubelet/device-plugins/kubelet.sock"), Path("/var/lib/kubelet/device-plugins/DEPRECATION"))


def unmount(*below: Path) -> None:
    """Detach every mount below these directories, the innermost first."""
    libc = ctypes.CDLL(None, use_errno=True)
    for mount in reversed(list(_mounts())):
        if any(mount.is_relative_to(directory) for directory in below) and libc.umount2(bytes(mount), _MNT_DETACH):
            raise OSError(ctypes.get_errno(), f"{mount} could not be unmounted")


def remove(network: str, logs: Path) -> None:
    """Remove what remembers pods of *network*, whose logs lie below *logs*."""
    for result in _NETWORK_RESULTS.glob(f"{network}-*"):
        result.unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(logs):
            link.unlink(missing_ok=True)


def remove_places() -> None:
    """Remove the places all nodes of the machine share, once none is left; those with something in them stay."""
    for file in _FILES:
        file.unlink(missing_ok=True)
    for place in _PLACES:
        with contextlib.suppress(OSError):
            place.rmdir()


def _mounts() -> Iterable[Path]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # spaces and the like stand as octal escapes
        yield Path(os.fsdecode(line.split()[4].encode().decode("unicode_escape").encode("latin-1")))
