"""Into the job: sealed versions become plain directories, exactly as their manifests say; nothing is ever listed."""

import hashlib
import os
from functools import partial

from outrider_contracts.environments import InputVersion, Manifest
from outrider_contracts.http import Environment

from outrider_stage.errors import InputNotStaged
from outrider_stage.layout import Layout
from outrider_stage.parallel import each
from outrider_stage.paths import open_beneath, open_directory, parts
from outrider_stage.ports import Store


def stage_in(environment: Environment, store: Store, layout: Layout) -> dict[str, int]:
    """Lay out every input (files 0644) and make the output directories. Gives the bytes carried per input.

    Raises InputNotStaged where a version has no manifest, lacks a file or holds other bytes than it says.
    """
    carried = {}
    for name, versions in environment.inputs.items():
        layout.input(name).mkdir(parents=True, exist_ok=True)
        carried[name] = sum(_lay_out(name, version, store, layout) for version in versions)
    make_outputs(environment, layout)
    return carried


def make_outputs(environment: Environment, layout: Layout) -> None:
    """Have the output directories, writable for whatever user the job's image runs as."""
    for name in environment.outputs:
        layout.output(name).mkdir(parents=True, exist_ok=True)
        layout.output(name).chmod(0o777)


def _lay_out(name: str, version: InputVersion, store: Store, layout: Layout) -> int:
    manifest = store.manifest(version.path)
    if manifest is None:
        raise InputNotStaged(f"input {name!r}: {version.path} has no manifest, so it is no sealed version")
    directory = layout.part(name, version)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        for parent in sorted({parts(file.path)[:-1] for file in manifest.files}):
            directory.joinpath(*parent).mkdir(parents=True, exist_ok=True)
        root = open_directory(str(directory))
        try:
            each(partial(_fetch, store, version.path, root), manifest.files)
        finally:
            os.close(root)
    except ValueError as error:
        writer = f"task {version.version.label} of run {version.version.run_id}"
        raise InputNotStaged(
            f"input {name!r}: {version.path}: {error}. Fix: clear {writer} in Airflow, which writes it anew"
        ) from error
    except OSError as error:
        raise InputNotStaged(f"input {name!r}: {version.path}: {error}") from error
    return manifest.size


def _fetch(store: Store, version: str, root: int, file: Manifest.File) -> None:
    descriptor = open_beneath(root, file.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w+b") as target:
        try:
            store.fetch(version, file.path, target)
        except FileNotFoundError:
            raise ValueError(f"{file.path} is gone, though its manifest names it") from None
        target.flush()
        os.fchmod(target.fileno(), 0o644)
        size = os.fstat(target.fileno()).st_size
        if size != file.size:
            raise ValueError(f"{file.path} has {size} bytes, its manifest says {file.size}")
        target.seek(0)
        if file.sha256 is not None and hashlib.file_digest(target, "sha256").hexdigest() != file.sha256:
            raise ValueError(f"{file.path} holds other bytes than its manifest says (sha256 differs)")
