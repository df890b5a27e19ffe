"""An effect outside, by the clock: its end is told by a file descriptor, as an outside system's answer is.

Not `asyncio.sleep`: an event loop's timers count whole milliseconds, a wait of 5 takes it 5.9. Linux only.
"""

import asyncio
import ctypes
import os
import struct
import time

EFFECT_SECONDS = 0.005

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLOCK = (time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
_ONCE = struct.pack("4q", 0, 0, 0, int(EFFECT_SECONDS * 1e9))
"""struct itimerspec: no repetition, seconds and nanoseconds until it ends."""


class Effects:
    """Effects of EFFECT_SECONDS, as many at once as are waited for; a timerfd(2) each, used again."""

    def __init__(self) -> None:
        self._idle: list[int] = []
        self._loop = asyncio.get_running_loop()

    async def one(self) -> None:
        """Wait for one. Raises OSError."""
        timer = self._idle.pop() if self._idle else _checked(_LIBC.timerfd_create(*_CLOCK))
        ended = self._loop.create_future()
        self._loop.add_reader(timer, ended.set_result, None)
        _checked(_LIBC.timerfd_settime(timer, 0, _ONCE, None))
        await ended
        self._loop.remove_reader(timer)
        os.read(timer, 8)
        self._idle.append(timer)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
