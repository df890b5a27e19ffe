"""Out of the job: output directories become versions, the manifest last, and no link is ever followed."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from functools import partial

from outrider_contracts.environments import Manifest
from outrider_contracts.http import Environment
from outrider_contracts.places import LARGEST_MANIFEST

from outrider_stage.errors import OutputNotStored
from outrider_stage.layout import Layout
from outrider_stage.parallel import each
from outrider_stage.paths import open_beneath, open_directory
from outrider_stage.ports import Store

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def stage_out(environment: Environment, store: Store, layout: Layout) -> dict[str, Manifest]:
    """Store every output directory in its try's generation. Gives what each holds.

    An existing empty directory is a version without files; an absent directory is no version. Empty sub-directories
    are not kept. Repeating it with the same files gives the same versions. Raises OutputNotStored for links, devices,
    sockets, names that are not UTF-8 and directories that can't be looked into: they cannot be carried, and leaving
    them out would lose data silently; for names with control characters, which policies of stores and lines of logs do
    not take; for files that change meanwhile; and for more of them than a manifest may list.
    """
    stored = {}
    for name, place in environment.outputs.items():
        try:
            root = _open(layout, name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OutputNotStored(
                f"output {name!r}: {layout.output(name)} is no directory: {error.strerror}"
            ) from error
        try:
            files = each(partial(_put, store, place.path, root), sorted(_files(root)))
            stored[name] = Manifest(files=tuple(files), format=place.format)
            if len(stored[name].model_dump_json().encode()) > LARGEST_MANIFEST:
                raise ValueError(f"its {len(files)} files are more than a version can list; pack them together")
            store.commit(place.path, stored[name])
        except FileExistsError as error:
            raise OutputNotStored(f"output {name!r}: {error} is there already with other content") from error
        except (ValueError, OSError) as error:
            raise OutputNotStored(f"output {name!r}: {error}") from error
        finally:
            os.close(root)
    return stored


def _open(layout: Layout, name: str) -> int:
    """Open an output's directory. The job may have put a link in the place of any directory on the way."""
    root = open_directory(str(layout.root))
    try:
        return open_beneath(root, str(layout.output(name).relative_to(layout.root)), os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(root)


def _files(root: int) -> Iterator[str]:
    """Relative paths of all files beneath *root*. Raises ValueError and OSError for what cannot be carried."""

    def refuse(error: OSError) -> None:
        raise error

    for at, directories, names, descriptor in os.fwalk(".", dir_fd=root, follow_symlinks=False, onerror=refuse):
        prefix = "" if at == "." else at.removeprefix("./") + "/"
        for name in (*directories, *names):
            path = prefix + name
            try:
                path.encode()
            except UnicodeEncodeError:
                raise ValueError(f"the name {path!r} is not UTF-8; rename the file") from None
            if _CONTROL.search(name):
                raise ValueError(f"the name {path!r} holds a control character; rename the file")
            mode = os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode):
                yield path
            elif not stat.S_ISDIR(mode):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
                raise ValueError(f"{path} is {kind}; only regular files are kept, copy its content instead")


def _put(store: Store, version: str, root: int, path: str) -> Manifest.File:
    descriptor = open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        before = os.fstat(descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            content.seek(0)
            store.put(version, path, content)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ValueError(f"{path} was written to while it was stored; a job has to wait for what it started")
    return Manifest.File(path=path, size=before.st_size, sha256=digest)
