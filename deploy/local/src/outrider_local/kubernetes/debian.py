"""The Debian all images stand on: small, with the languages jobs of the examples are written in."""

import hashlib
import platform
from pathlib import Path

from outrider_local import cache, prerequisites
from outrider_local.kubernetes.image_archive import Layer
from outrider_local.layout import Layout

SUITE = "bookworm"
PYTHON = "3.11"
"""Release of that Debian's Python."""
_PACKAGES = ("python3", "ca-certificates")
_OPTIONS = (
    "--variant=minbase",  # holds sh, Perl and awk already
    f"--include={','.join(_PACKAGES)}",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)


def build(layout: Layout) -> None:
    """Have its layer in the cache; about a minute the first time. Raises InstallFailed, MissingPrerequisite."""
    cache.make_once(_directory(layout), _make)


def layer(layout: Layout) -> Layer:
    """Its files, python3 included."""
    return Layer(_directory(layout))


def _directory(layout: Layout) -> Path:
    key = hashlib.sha256(repr((SUITE, _OPTIONS, platform.machine())).encode()).hexdigest()[:12]
    return layout.cache / f"debian-{SUITE}-{key}"


def _make(target: Path) -> None:
    mmdebstrap = prerequisites.require(prerequisites.MMDEBSTRAP)
    cache.run((mmdebstrap, "--quiet", *_OPTIONS, SUITE, str(target / "layer.tar")))
    Layer(target).seal()
