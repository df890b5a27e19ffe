"""Images as files: layers made by us, written as the archive `ctr images import` reads. No daemon, no registry."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Layer:
    """A tar of files, in a directory of the cache beside its digest."""

    directory: Path

    @property
    def tar(self) -> Path:
        return self.directory / "layer.tar"

    @property
    def digest(self) -> str:
        """sha256 of the tar, as an image's configuration names it."""
        return (self.directory / "digest").read_text()

    def seal(self) -> None:
        """Write the digest down, once the tar is whole."""
        with self.tar.open("rb") as file:
            (self.directory / "digest").write_text(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


@dataclass(frozen=True)
class Image:
    """An image of some layers; its tag tells its content."""

    repository: str
    layers: tuple[Layer, ...]
    settings: Mapping[str, object]
    """Env, Entrypoint, Cmd and the like"""

    @cached_property
    def name(self) -> str:
        """Full name with the tag, as a pod's manifest has it."""
        return f"{self.repository}:{hashlib.sha256(self._configuration).hexdigest()[:12]}"

    def write(self, stream: IO[bytes]) -> None:
        """Write the archive."""
        configuration = f"{hashlib.sha256(self._configuration).hexdigest()}.json"
        files = {layer.digest.removeprefix("sha256:") + ".tar": layer.tar for layer in self.layers}
        manifest = [{"Config": configuration, "RepoTags": [self.name], "Layers": list(files)}]
        with tarfile.open(fileobj=stream, mode="w|") as archive:
            _add(archive, configuration, self._configuration)
            for name, file in files.items():
                archive.add(file, name)
            _add(archive, "manifest.json", json.dumps(manifest).encode())

    @cached_property
    def _configuration(self) -> bytes:
        told = {
            "architecture": _ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": self.settings,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
        }
        return json.dumps(told, sort_keys=True).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
