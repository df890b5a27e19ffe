"""Which relative paths may be carried, and how they are opened without following a link."""

import os

from outrider_contracts.places import MANIFEST


def parts(path: str) -> tuple[str, ...]:
    """Take a manifest's path apart. Raises ValueError where it would leave its directory or hide the manifest."""
    segments = tuple(path.split("/"))
    if any(segment in ("", ".", "..") or "\0" in segment for segment in segments):
        raise ValueError(f"{path!r} would leave its directory")
    if path == MANIFEST:
        raise ValueError(f"{MANIFEST} is a reserved name")
    return segments


def open_directory(path: str, within: int | None = None) -> int:
    """Open a directory itself, never what a link points to. The caller closes the descriptor."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)


def open_beneath(root: int, path: str, flags: int, mode: int = 0o600) -> int:
    """Open *path* beneath the directory *root* with no link on the way. The caller closes the descriptor."""
    *directories, name = parts(path)
    at = os.dup(root)
    try:
        for directory in directories:
            below = open_directory(directory, within=at)
            os.close(at)
            at = below
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=at)
    finally:
        os.close(at)
