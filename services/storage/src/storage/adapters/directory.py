"""Versions in a directory tree: a shared volume, or a directory of this machine.

Every path is walked from the root's own descriptor with O_NOFOLLOW, so a symbolic link anywhere on the way is an
error, never a detour; links inside a version are unlinked, not followed.
"""

import asyncio
import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outrider_contracts.environments import Manifest
from outrider_contracts.http import StoreAddress
from outrider_contracts.places import MANIFEST
from pydantic import ValidationError

from storage.adapters.paths import guard
from storage.ports import Manifests, Marker, ObjectStore, Removal, UnsafePath

_MARKER = "_outrider"
_WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o770


class DirectoryTree:
    """Descriptors inside one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def at(self, segments: list[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of the directory. Raises FileNotFoundError where it is not there, UnsafePath at a link."""
        here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for segment in segments:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(segment, _MODE, dir_fd=here)
                try:
                    below = os.open(segment, _WALK, dir_fd=here)
                except NotADirectoryError:
                    raise UnsafePath(f"{segment!r} in {'/'.join(segments)} is no directory") from None
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


class DirectoryObjects:
    """ObjectStore over a directory tree."""

    def __init__(self, tree: DirectoryTree) -> None:
        self._tree = tree

    async def open(self, path: str) -> bool:
        return await asyncio.to_thread(self._open, _segments(path))

    async def close(self, path: str) -> None:
        await asyncio.to_thread(self._close, _segments(path))

    async def inventory(self, path: str) -> Manifest:
        return await asyncio.to_thread(self._inventory, _segments(path))

    async def remove(self, path: str) -> Removal:
        return await asyncio.to_thread(self._remove, _segments(path))

    def _open(self, segments: list[str]) -> bool:
        with self._tree.at(segments, make=True) as here:
            return not os.listdir(here)

    def _close(self, segments: list[str]) -> None:
        with contextlib.suppress(FileNotFoundError, OSError), self._tree.at(segments[:-1]) as parent:
            os.rmdir(segments[-1], dir_fd=parent)

    def _inventory(self, segments: list[str]) -> Manifest:
        files = []
        with contextlib.suppress(FileNotFoundError), self._tree.at(segments) as here:
            for place, _, names, at in os.fwalk(dir_fd=here, follow_symlinks=False):
                for name in names:
                    found = os.lstat(name, dir_fd=at)
                    relative = os.path.normpath(os.path.join(place, name))
                    if stat.S_ISREG(found.st_mode) and relative != MANIFEST:
                        files.append(Manifest.File(path=relative, size=found.st_size))
        return Manifest(files=tuple(sorted(files, key=lambda file: file.path)))

    def _remove(self, segments: list[str]) -> Removal:
        objects = size = 0
        try:
            with self._tree.at(segments) as here:
                for _, _, names, at in os.fwalk(dir_fd=here, follow_symlinks=False):
                    objects += len(names)
                    size += sum(os.lstat(name, dir_fd=at).st_size for name in names)
            with self._tree.at(segments[:-1]) as parent:
                shutil.rmtree(segments[-1], dir_fd=parent)  # refuses to follow links (avoids_symlink_attacks)
        except FileNotFoundError:
            pass
        return Removal(objects, size)


class DirectoryManifests:
    """Manifests as files; an exclusive create and a rename make the first one stand."""

    def __init__(self, tree: DirectoryTree) -> None:
        self._tree = tree

    async def read(self, path: str) -> Manifest | None:
        return await asyncio.to_thread(self._read, _segments(path))

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        return await asyncio.to_thread(self._write, _segments(path), manifest)

    def _read(self, segments: list[str]) -> Manifest | None:
        try:
            with self._tree.at(segments) as here:
                return Manifest.model_validate_json(_read_file(here, MANIFEST))
        except (FileNotFoundError, ValidationError, UnsafePath):
            return None

    def _write(self, segments: list[str], manifest: Manifest) -> Manifest:
        with self._tree.at(segments, make=True) as here:
            draft = f".{MANIFEST}.{os.getpid()}"
            _write_file(here, draft, manifest.model_dump_json().encode())
            try:
                os.link(draft, MANIFEST, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
            except FileExistsError:
                return self._read(segments) or manifest
            finally:
                os.unlink(draft, dir_fd=here)
            os.fsync(here)
        return manifest


class DirectoryMarker:
    """The marker as a file beside the teams' directories."""

    def __init__(self, tree: DirectoryTree) -> None:
        self._tree = tree

    async def read(self) -> tuple[str, int] | None:
        try:
            with self._tree.at([_MARKER]) as here:
                kept = json.loads(_read_file(here, "storage.json"))
        except FileNotFoundError:
            return None
        return str(kept["identity"]), int(kept["starts"])

    async def write(self, identity: str, starts: int) -> None:
        with self._tree.at([_MARKER], make=True) as here:
            _write_file(here, "storage.json.new", json.dumps({"identity": identity, "starts": starts}).encode())
            os.rename("storage.json.new", "storage.json", src_dir_fd=here, dst_dir_fd=here)


class DirectoryStore:
    """The whole backend below one root."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        tree = DirectoryTree(root)
        self.address = StoreAddress(kind="directory", root=str(root))
        self.objects: ObjectStore = DirectoryObjects(tree)
        self.manifests: Manifests = DirectoryManifests(tree)
        self.marker: Marker = DirectoryMarker(tree)


def _segments(path: str) -> list[str]:
    guard(path)
    return path.rstrip("/").split("/")


def _read_file(directory: int, name: str) -> bytes:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafePath(f"{name} can't be read as a plain file: {error}") from None
    with os.fdopen(file, "rb") as opened:
        return opened.read()


def _write_file(directory: int, name: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o660, dir_fd=directory), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
