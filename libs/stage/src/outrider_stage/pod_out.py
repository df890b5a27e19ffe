"""`python -m outrider_stage out`: the pod's sidecar. It sleeps while the job runs and stores what it wrote afterwards.

The kubelet sends SIGTERM once all of the pod's own containers have ended, and waits for this one.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outrider_stage.credential_server import serve_credentials
from outrider_stage.credentials import RenewedCredentials
from outrider_stage.errors import Revoked
from outrider_stage.instructions import CREDENTIALS_TOKEN_FILE, READY_FILE, Instructions
from outrider_stage.layout import Layout
from outrider_stage.outward import stage_out
from outrider_stage.service import StorageService
from outrider_stage.stores import open_store

_ASK_SECONDS = 4.0
_PATIENCE_SECONDS = 30.0


def wait_for_the_end(ended: threading.Event, told: Instructions) -> None:
    """Return when the job is over; until then, serve it credentials where it wants some."""
    service = StorageService(told.url, lambda: told.token, within=_PATIENCE_SECONDS)
    with _served(service, told):
        ended.wait()


def take(told: Instructions, give_up: Callable[[Exception], None]) -> str:
    """Store the outputs and give the line to be told. Raises StageError.

    *give_up* is called, from another thread, when time is up or nothing of the try counts any more.
    """
    service = StorageService(told.url, lambda: told.token, within=told.upload_seconds)
    with _watched(service, told.upload_seconds, give_up):
        environment = service.environment()
        if environment.mode != "files" or not environment.outputs:
            return "nothing to store"
        began = time.monotonic()
        credentials = RenewedCredentials(environment.credentials, service.credentials)
        stored = stage_out(environment, open_store(environment.store, credentials), Layout(told.root))
        service.carried("out", time.monotonic() - began)
    for name, manifest in stored.items():
        print(f"output {name}: {len(manifest.files)} files, {manifest.size} bytes", flush=True)
    return f"stored {len(stored)} outputs, {sum(manifest.size for manifest in stored.values())} bytes"


def on_sigterm() -> threading.Event:
    """Set once the kubelet says that the job is over."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    return ended


class TooLate(Exception):
    """The upload did not end in time."""


@contextmanager
def _watched(service: StorageService, seconds: float, give_up: Callable[[Exception], None]) -> Iterator[None]:
    """Have storage asked every few seconds whether the try still counts, and the clock watched, while this lasts."""
    done = threading.Event()

    def watch() -> None:
        ends = time.monotonic() + seconds  # an answer may take long, too
        while not done.wait(max(0.0, min(_ASK_SECONDS, ends - time.monotonic()))):
            if time.monotonic() >= ends:
                give_up(TooLate(f"the upload did not end within {seconds:g} s; set a longer upload_timeout"))
            elif reason := service.revoked():
                give_up(Revoked(reason))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextmanager
def _served(service: StorageService, told: Instructions) -> Iterator[None]:
    if not told.credentials_port:
        yield
        return
    token = (told.secrets / CREDENTIALS_TOKEN_FILE).read_text().strip()
    with serve_credentials(RenewedCredentials(None, service.credentials), port=told.credentials_port, token=token):
        ready = os.open(told.root / READY_FILE, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        os.close(ready)
        yield
