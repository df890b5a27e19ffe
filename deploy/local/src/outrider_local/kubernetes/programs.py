"""Kubernetes' programs, built from their Go modules (deploy/local/kubernetes) once per source, lock and Go release."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from outrider_local import cache, prerequisites
from outrider_local.layout import Layout
from outrider_local.prerequisites import Prerequisite

SOURCES = Path(__file__).resolve().parents[3] / "kubernetes"
PROGRAMS = ("control-plane", "forwarder", "kubelet", "pause", "remove-pods")


def program(layout: Layout, name: str) -> Path:
    """Where a program of PROGRAMS lies or will lie in the cache."""
    return _directory(layout) / name


def needs(layout: Layout) -> tuple[Prerequisite, ...]:
    """Go, until the programs are in the cache."""
    return () if _complete(layout) else (prerequisites.GO,)


def build(layout: Layout) -> None:
    """Have the programs in the cache: some minutes the first time, seconds where only our own sources changed.

    Raises MissingPrerequisite without Go, InstallFailed with the compiler's last lines.
    """
    cache.make_once(_directory(layout), lambda target: _build(layout, target))


def kubernetes_version() -> str:
    """Release of Kubernetes the module names, as in v1.36.4."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{SOURCES / 'go.mod'} names no k8s.io/kubernetes")
    return found[1]


def _directory(layout: Layout) -> Path:
    """The one that is complete, else the one for the Go that is here."""
    if complete := _complete(layout):
        return complete
    go = prerequisites.require(prerequisites.GO)
    release = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=True, cwd="/")
    return layout.cache / f"kubernetes-{_sources_digest()}-{release.stdout.strip()}"


def _complete(layout: Layout) -> Path | None:
    found = sorted(layout.cache.glob(f"kubernetes-{_sources_digest()}-*/.complete"))
    return found[-1].parent if found else None


def _sources_digest() -> str:
    files = [SOURCES / "go.mod", SOURCES / "go.sum", *sorted(SOURCES.glob("cmd/*/*.go"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _build(layout: Layout, target: Path) -> None:
    version = kubernetes_version()
    _, minor, _ = version.removeprefix("v").split(".")
    told = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    stamps = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())
    environment = {
        **os.environ,
        # what was compiled is kept: a change of our own sources is then a matter of seconds
        "GOCACHE": str(layout.cache / "go-build"),
        "GOMODCACHE": str(layout.cache / "go-modules"),
        "GOFLAGS": "-trimpath -buildvcs=false",
        "CGO_ENABLED": "0",
    }
    cache.run(
        (
            prerequisites.require(prerequisites.GO),
            "build",
            "-ldflags",
            f"-s -w {stamps}",
            "-o",
            f"{target}/",
            "./cmd/...",
        ),
        cwd=SOURCES,
        env=environment,
    )
