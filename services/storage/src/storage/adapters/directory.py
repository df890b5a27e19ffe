"""Versions in a directory tree: a shared volume, or a directory of this machine.

Every path is walked from the root's own descriptor with O_NOFOLLOW, so a symbolic link anywhere on the way is an
error, never a detour; links inside a version are unlinked, not followed. Jobs run as users of their own and write here
themselves: nothing that they may leave is trusted, waited for or read without end.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from outrider_bus.ports import UnavailableError
from outrider_contracts.environments import Manifest
from outrider_contracts.http import StoreAddress
from outrider_contracts.places import LARGEST_MANIFEST, MANIFEST
from outrider_contracts.tenants import Backend
from pydantic import ValidationError

from storage.adapters.paths import guard
from storage.ports import Manifests, Marker, ObjectStore, Removal, RemovalRefused, UnsafePath

P = ParamSpec("P")
R = TypeVar("R")

_MARKER = "_outrider"
_WALK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ON_THE_WAY, _GENERATION, _OURS = 0o755, 0o777, 0o700
"""Modes of directories. A try's job writes into its generations, under a user this service need not know; what fences
teams is that each is shown its own directory alone."""
_DRAFT = f".{MANIFEST}."


class DirectoryTree:
    """Descriptors inside one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def at(self, segments: list[str], *, make: int | None = None) -> Iterator[int]:
        """A descriptor of the directory. Raises FileNotFoundError where it is not there, UnsafePath at a link.

        *make* it, with that mode, where it is not. Raises UnavailableError where the root itself is away: that says
        nothing of what is in it.
        """
        try:
            here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UnavailableError(f"the shared volume is away: {error}") from error
        try:
            for number, segment in enumerate(segments, start=1):
                mode = None if make is None else make if number == len(segments) else _ON_THE_WAY
                below = _step(here, segment, mode, "/".join(segments))
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
        return await _aside(self._open, _segments(path))

    async def close(self, path: str) -> None:
        await _aside(self._close, _segments(path))

    async def inventory(self, path: str) -> Manifest:
        return await _aside(self._inventory, _segments(path))

    async def remove(self, path: str) -> Removal:
        return await _aside(self._remove, _segments(path))

    def _open(self, segments: list[str]) -> bool:
        with self._tree.at(segments, make=_GENERATION) as here:
            return not os.listdir(here)

    def _close(self, segments: list[str]) -> None:
        with contextlib.suppress(OSError, UnsafePath), self._tree.at(segments[:-1]) as parent:
            os.rmdir(segments[-1], dir_fd=parent)

    def _inventory(self, segments: list[str]) -> Manifest:
        files: list[Manifest.File] = []
        with contextlib.suppress(FileNotFoundError), self._tree.at(segments) as here:
            files = [
                Manifest.File(path=path, size=found.st_size)
                for path, found in _everything(here)
                if stat.S_ISREG(found.st_mode) and path != MANIFEST and not path.startswith(_DRAFT)
            ]
        try:
            return Manifest(files=tuple(sorted(files, key=lambda file: file.path)))
        except ValidationError:  # files that are all holes may be of any size
            raise UnsafePath(f"{'/'.join(segments)} has more bytes than can be counted") from None

    def _remove(self, segments: list[str]) -> Removal:
        try:
            with self._tree.at(segments) as here:
                sizes = [found.st_size for _, found in _everything(here)]
        except FileNotFoundError:
            return Removal(0, 0)
        try:
            with self._tree.at(segments[:-1]) as parent:
                shutil.rmtree(segments[-1], dir_fd=parent)  # refuses to follow links (avoids_symlink_attacks)
        except OSError as error:  # a job that goes on after its end, or that has taken rights away
            raise RemovalRefused(f"{'/'.join(segments)} could not be removed whole: {error}") from None
        return Removal(len(sizes), sum(sizes))


class DirectoryManifests:
    """Manifests as files; an exclusive create and a link make the first one stand."""

    def __init__(self, tree: DirectoryTree) -> None:
        self._tree = tree

    async def read(self, path: str) -> Manifest | None:
        return await _aside(self._read, _segments(path))

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        return await _aside(self._write, _segments(path), manifest)

    def _read(self, segments: list[str]) -> Manifest | None:
        try:
            with self._tree.at(segments) as here:
                return Manifest.model_validate_json(_read_file(here, MANIFEST))
        except (FileNotFoundError, ValidationError, UnsafePath):
            return None

    def _write(self, segments: list[str], manifest: Manifest) -> Manifest:
        with self._tree.at(segments, make=_GENERATION) as here:
            draft = _DRAFT + secrets.token_hex(8)
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
        with self._tree.at([_MARKER], make=_OURS) as here:
            draft = f"storage.json.{secrets.token_hex(8)}"
            _write_file(here, draft, json.dumps({"identity": identity, "starts": starts}).encode())
            os.rename(draft, "storage.json", src_dir_fd=here, dst_dir_fd=here)


class DirectoryStore:
    """The whole backend below one root, which is there."""

    backends = frozenset[Backend](("directory",))

    def __init__(self, root: Path) -> None:
        tree = DirectoryTree(root)
        self._address = StoreAddress(kind="directory", root=str(root))
        self.objects: ObjectStore = DirectoryObjects(tree)
        self.manifests: Manifests = DirectoryManifests(tree)
        self.marker: Marker = DirectoryMarker(tree)

    async def address(self, team: str) -> StoreAddress:  # noqa: ARG002 - the same for all
        return self._address


def _segments(path: str) -> list[str]:
    guard(path)
    return path.rstrip("/").split("/")


async def _aside(act: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """Do it in a thread. What the volume says no to (full, stale, read-only) becomes UnavailableError, for all wait.

    Rights that are lacking concern that path alone: UnsafePath.
    """
    try:
        return await asyncio.to_thread(act, *given, **named)
    except RecursionError:  # Python walks down by calling itself
        raise UnsafePath("directories are nested there deeper than can be followed") from None
    except PermissionError as error:
        raise UnsafePath(f"this service lacks rights on the shared volume: {error}") from error
    except OSError as error:
        raise UnavailableError(f"the shared volume can't be used: {error}") from error


def _step(here: int, segment: str, mode: int | None, path: str) -> int:
    """A descriptor of the directory *segment* below *here*, made with *mode*, or opened up to it, where one is told."""
    if mode is not None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(segment, mode, dir_fd=here)
    try:
        below = os.open(segment, _WALK, dir_fd=here)
    except NotADirectoryError:
        raise UnsafePath(f"{segment!r} in {path} is no directory") from None
    if mode is not None:  # whatever the umask is, and whatever was interrupted between the two
        found = stat.S_IMODE(os.fstat(below).st_mode)
        if found & mode != mode:
            with contextlib.suppress(PermissionError):
                os.fchmod(below, found | mode)
    return below


def _everything(directory: int) -> Iterator[tuple[str, os.stat_result]]:
    """All below it but directories, by relative path. Raises UnsafePath for what can't be looked into."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise UnsafePath(f"{error.filename} can't be looked into: {error.strerror}")

    for place, _, names, at in os.fwalk(dir_fd=directory, follow_symlinks=False, onerror=refuse):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # a job that goes on took it away
                yield os.path.normpath(os.path.join(place, name)), os.lstat(name, dir_fd=at)


def _read_file(directory: int, name: str) -> bytes:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafePath(f"{name} can't be read as a plain file: {error}") from None
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_MANIFEST:
            raise UnsafePath(f"{name} is no plain file of at most {LARGEST_MANIFEST} bytes")
        return opened.read(LARGEST_MANIFEST)


def _write_file(directory: int, name: str, content: bytes) -> None:
    """A new file that everybody who gets at it may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o644, dir_fd=directory), "wb") as opened:
        opened.write(content)
        os.fchmod(opened.fileno(), 0o644)
        opened.flush()
        os.fsync(opened.fileno())
