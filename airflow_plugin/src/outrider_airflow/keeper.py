"""A thread of the processes that live long: hears the broker's answers, and empties the host's spool."""

import logging
import os
import threading

from outrider_airflow.publisher import publisher

_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)
_keeping = 0


def keep() -> None:
    """Have the thread in this process. A fork has none of its parent's threads and may ask for its own."""
    global _keeping
    if _keeping != os.getpid():
        _keeping = os.getpid()
        threading.Thread(target=_work, name="outrider-keeper", daemon=True).start()


def _work() -> None:
    waiting = threading.Event()
    while True:
        try:
            publisher().serve()
            publisher().drain()
        except Exception:  # noqa: BLE001  the host process is Airflow's: nothing of ours may end in it
            _log.warning("outrider could not empty its spool; it tries again", exc_info=True)
            waiting.wait(30)
        waiting.wait(_LOOK_SECONDS)
