"""The program of the stager image: `python -m outrider_stage in|out|serve`. Ends with a line as termination message.

`serve` gives a job credentials and nothing else, for a pod whose outputs another pod's sidecar looks after; it goes on
until it is killed.
"""

import os
import sys
import threading
import traceback
from collections.abc import Sequence

from outrider_stage.instructions import Instructions, instructions_of

_LONGEST = 3500
"""Kubernetes keeps 4,096 bytes of a termination message."""


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 done, 1 not done (the message says why), 2 called wrongly."""
    told = instructions_of(os.environ)
    if arguments in (["out"], ["out", "now"]):
        return _out(told, now=len(arguments) == 2)
    if arguments == ["serve"]:
        from outrider_stage.pod_out import wait_for_the_end

        wait_for_the_end(threading.Event(), told)
    if arguments != ["in"]:
        print("usage: python -m outrider_stage in|out [now]|serve", file=sys.stderr)
        return 2
    from outrider_stage.pod_in import bring

    try:
        return _end(told, bring(told))
    except Exception as error:  # noqa: BLE001 - whatever it is, the task has to tell it
        return _end(told, _told(error), 1)


def _out(told: Instructions, *, now: bool) -> int:
    from outrider_stage.pod_out import on_sigterm, take, wait_for_the_end

    ended = on_sigterm()
    try:
        if not now:
            wait_for_the_end(ended, told)
        # threads in the midst of an upload are not waited for
        return _end(told, take(told, give_up=lambda error: os._exit(_end(told, _told(error), 1))))
    except Exception as error:  # noqa: BLE001
        return _end(told, _told(error), 1)


def _end(told: Instructions, line: str, code: int = 0) -> int:
    print(line, flush=True)
    told.message.write_text(line.encode()[:_LONGEST].decode(errors="ignore"))
    return code


def _told(error: Exception) -> str:
    """One line: ours say what to do; of others the kind is told too, and the traceback stands in the log."""
    from outrider_stage.errors import StageError
    from outrider_stage.pod_out import TooLate

    if isinstance(error, StageError | TooLate):
        return str(error)
    traceback.print_exception(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
