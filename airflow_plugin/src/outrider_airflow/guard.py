"""Ends a job's whole process group when the task itself is killed and can no longer do so."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

# a line means that the task is done with the job; the end of the input without one, that the task is gone
_GUARD = 'read -r _ || kill -KILL "-$0"'


@contextmanager
def guarded(group: int) -> Iterator[None]:
    """Have the group killed, all of it, should this process die while the context lasts.

    PR_SET_PDEATHSIG reaches only the job's first process; a shell's children would run on unseen.
    """
    theirs, ours = os.pipe()
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(group)],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    try:
        yield
    finally:
        os.write(ours, b"\n")
        os.close(ours)
        guard.wait()
