"""The layers that make a stager of the Debian: outrider_stage's dependencies, and above them our own sources."""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from outrider_local import cache, python_environments
from outrider_local.kubernetes import debian
from outrider_local.kubernetes.image_archive import Layer
from outrider_local.layout import Layout

_CLONE = Path(__file__).resolve().parents[5]
_OURS = ("libs/contracts", "libs/stage")
_DEPENDENCIES, _SOURCES = "opt/outrider/dependencies", "opt/outrider/sources"
PYTHONPATH = f"/{_SOURCES}:/{_DEPENDENCIES}"


def build(layout: Layout) -> None:
    """Have both layers in the cache; the Debian is there."""
    requirements = _requirements()
    cache.make_once(
        _dependencies_directory(layout, requirements), lambda target: _make_dependencies(layout, target, requirements)
    )
    cache.make_once(_sources_directory(layout), lambda target: _make_sources(layout, target))


def layers(layout: Layout) -> tuple[Layer, Layer]:
    """The dependencies, and our sources."""
    return Layer(_dependencies_directory(layout, _requirements())), Layer(_sources_directory(layout))


def _requirements() -> str:
    """What uv.lock pins for outrider_stage, our own packages apart."""
    arguments = ("export", "-q", "--frozen", "--package", "outrider-stage", "--no-dev", "--no-emit-workspace")
    return cache.run((python_environments.uv(), *arguments, "--no-header"), cwd=_CLONE)


def _dependencies_directory(layout: Layout, requirements: str) -> Path:
    key = hashlib.sha256(f"{debian.layer(layout).digest}\0{requirements}".encode()).hexdigest()[:12]
    return layout.cache / f"stager-dependencies-{key}"


def _sources_directory(layout: Layout) -> Path:
    files = [file for part in _OURS for file in sorted((_CLONE / part / "src").rglob("*")) if _is_source(file)]
    told = b"\0".join(part for file in files for part in (bytes(file.relative_to(_CLONE)), file.read_bytes()))
    key = hashlib.sha256(debian.layer(layout).digest.encode() + told).hexdigest()[:12]
    return layout.cache / f"stager-sources-{key}"


def _is_source(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _make_dependencies(layout: Layout, target: Path, requirements: str) -> None:
    listed = target / "requirements.txt"
    listed.write_text(requirements)

    def install(place: Path) -> None:
        arguments = ("--python-version", debian.PYTHON, "--python-platform", f"{platform.machine()}-manylinux_2_36")
        cache.run(
            (
                python_environments.uv(),
                *("pip", "install", "-q", "--only-binary", ":all:", "-p", sys.executable, *arguments),
                *("--target", str(place), "-r", str(listed)),
            ),
            env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
        )

    _make(layout, target, _DEPENDENCIES, install)


def _make_sources(layout: Layout, target: Path) -> None:
    def copy(place: Path) -> None:
        for part in _OURS:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(_CLONE / part / "src", place, ignore=ignored, dirs_exist_ok=True)

    _make(layout, target, _SOURCES, copy)


def _make(layout: Layout, target: Path, place: str, fill: Callable[[Path], None]) -> None:
    """Make a layer of what *fill* puts at *place*, compiled by that Debian's Python: whoever runs it can't."""
    with tempfile.TemporaryDirectory(prefix="image-", dir=layout.cache) as scratch:
        cache.run(("tar", "-xf", str(debian.layer(layout).tar), "-C", scratch, "--exclude=./dev/*"))
        directory = Path(scratch) / place
        directory.mkdir(parents=True)
        fill(directory)
        compiled = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"/{place}")
        cache.run(("chroot", scratch, "python3", *compiled))
        cache.run(("tar", "-cf", str(target / "layer.tar"), "--owner=0", "--group=0", "-C", scratch, place))
    Layer(target).seal()
