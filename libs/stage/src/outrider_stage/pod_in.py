"""`python -m outrider_stage in`: the pod's first container. What the job is to find lies there when it ends."""

import os
import time
from pathlib import Path

from outrider_stage.credentials import RenewedCredentials
from outrider_stage.instructions import DOCUMENT_FILE, Instructions
from outrider_stage.inward import make_outputs, stage_in
from outrider_stage.layout import Layout
from outrider_stage.service import StorageService
from outrider_stage.stores import open_store

_PATIENCE_SECONDS = 120.0


def bring(told: Instructions) -> str:
    """Write `environment.json` and lay the inputs out. Gives the line to be told. Raises StageError."""
    service = StorageService(told.url, lambda: told.token, within=_PATIENCE_SECONDS)
    environment = service.environment()
    _write(told.root / DOCUMENT_FILE, told.document)
    (told.root / "tmp").mkdir(exist_ok=True)
    if environment.mode != "files" or not (environment.inputs or environment.outputs):
        return "nothing to bring"
    layout = Layout(told.root)
    if not environment.inputs:
        make_outputs(environment, layout)
        return f"made {len(environment.outputs)} output directories"
    began = time.monotonic()
    credentials = RenewedCredentials(environment.credentials, service.credentials)
    brought = stage_in(environment, open_store(environment.store, credentials), layout)
    service.carried("in", time.monotonic() - began, cold_bytes=sum(brought.values()))
    for name, size in brought.items():
        print(f"input {name}: {size} bytes at {layout.input(name)}", flush=True)
    return f"brought {len(brought)} inputs, {sum(brought.values())} bytes"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
