"""A thread of the processes that live long: hears the broker's answers, empties the spool, says what takes long."""

import atexit
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from outrider_contracts.event import Event

from outrider_airflow import trace
from outrider_airflow.publisher import publisher

_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 5.0
_log = logging.getLogger(__name__)
_keeping = 0


_Waiting = tuple[Callable[[], Iterable[Event]], str]
_waiting: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()


def say(later: Callable[[], Iterable[Event]], *, like: Any) -> None:
    """Say what *later* comes to, once the thread has time for it; in the trace of the row *like*."""
    _waiting.put((later, trace.airflows_own(like)))
    keep()


def keep() -> None:
    """Have the thread in this process. A fork has none of its parent's threads and may ask for its own."""
    global _keeping
    if _keeping != os.getpid():
        _keeping = os.getpid()
        atexit.register(_finish, _keeping)
        threading.Thread(target=_work, name="outrider-keeper", daemon=True).start()


def _work() -> None:
    pause = threading.Event()
    while True:
        try:
            publisher().serve()
            publisher().drain()
            _say_waiting(_LOOK_SECONDS)
        except Exception:  # noqa: BLE001  the host process is Airflow's: nothing of ours may end in it
            _log.warning("outrider could not tell something or empty its spool; it goes on", exc_info=True)
            pause.wait(_AGAIN_SECONDS)


def _say_waiting(seconds: float) -> None:
    """Say what waits; wait up to *seconds* for something to say."""
    with suppress(queue.Empty):
        later, traceparent = _waiting.get(timeout=seconds)
        while True:
            publisher().say(later(), traceparent=traceparent)
            later, traceparent = _waiting.get_nowait()


def _finish(pid: int) -> None:
    """Have all that was to be said with the broker or in the spool before the process ends."""
    if pid != os.getpid():  # a fork's end is not ours
        return
    while not _waiting.empty():  # one that can't be said is taken off, too
        with suppress(Exception):
            _say_waiting(0)
    with suppress(Exception):
        publisher().settle()


def _forget() -> None:
    """After a fork: what waits is the parent's to say."""
    global _waiting
    _waiting = queue.SimpleQueue()


with suppress(AttributeError):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
