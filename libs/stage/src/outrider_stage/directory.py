"""Versions in a directory tree: a shared file system, or a laptop without S3."""

import os
import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from outrider_contracts.environments import Manifest
from outrider_contracts.places import MANIFEST

from outrider_stage.paths import open_beneath, parts


class DirectoryStore:
    """A `Store` beneath *root*; files appear under their names only when they are whole.

    Other jobs of the team may have written there themselves: no link is followed where something is read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def manifest(self, version: str) -> Manifest | None:
        """Read `_manifest.json`."""
        try:
            with self._opened(version + MANIFEST) as stored:
                return Manifest.model_validate_json(stored.read())
        except FileNotFoundError:
            return None

    def fetch(self, version: str, path: str, into: BinaryIO) -> None:
        """Copy one file out."""
        with self._opened(version + path) as stored:
            shutil.copyfileobj(stored, into, 1 << 20)

    def put(self, version: str, path: str, content: BinaryIO) -> None:
        """Copy one file in and rename it into place."""
        target = self._root.joinpath(version, *parts(path))
        temporary = self._beside(target, content)
        temporary.replace(target)

    def commit(self, version: str, manifest: Manifest) -> None:
        """Link the finished manifest into place; a link never replaces."""
        target = self._root / version / MANIFEST
        temporary = self._beside(target, BytesIO(manifest.model_dump_json().encode()))
        try:
            os.link(temporary, target)
        except FileExistsError:
            if self.manifest(version) != manifest:
                raise
        finally:
            temporary.unlink()

    def _opened(self, path: str) -> BinaryIO:
        root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return os.fdopen(open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        finally:
            os.close(root)

    def _beside(self, target: Path, content: BinaryIO) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".outrider-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            os.unlink(name)
            raise
        return Path(name)
