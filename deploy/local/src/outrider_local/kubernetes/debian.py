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
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)


def build(layout: Layout, *more: str) -> None:
    """Have its layer in the cache, with the packages *more*; about a minute the first time.

    Raises InstallFailed, MissingPrerequisite.
    """
    cache.make_once(_directory(layout, more), lambda target: _make(target, more))


def layer(layout: Layout, *more: str) -> Layer:
    """Its files: python3 and the packages *more* included."""
    return Layer(_directory(layout, more))


def _directory(layout: Layout, more: tuple[str, ...]) -> Path:
    key = hashlib.sha256(repr((SUITE, _options(more), platform.machine())).encode()).hexdigest()[:12]
    return layout.cache / f"debian-{SUITE}-{key}"


def _options(more: tuple[str, ...]) -> tuple[str, ...]:
    return (_OPTIONS[0], f"--include={','.join((*_PACKAGES, *more))}", *_OPTIONS[1:])


def _make(target: Path, more: tuple[str, ...]) -> None:
    mmdebstrap = prerequisites.require(prerequisites.MMDEBSTRAP)
    # packages of programs link manuals in directories that are not there without manuals
    manuals = ('--essential-hook=mkdir -p "$1/usr/share/man/man1"',) if more else ()
    cache.run((mmdebstrap, "--quiet", *_options(more), *manuals, SUITE, str(target / "layer.tar")))
    Layer(target).seal()
