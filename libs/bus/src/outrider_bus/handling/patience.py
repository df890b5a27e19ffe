"""What goes wrong, sorted: the record's own fault, or something that is only a matter of time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from outrider_bus.counters import Counters
from outrider_bus.database import is_away, is_worth_repeating
from outrider_bus.deadletters import cleaned
from outrider_bus.ports import StaleEpochError, UnavailableError


async def attempt(act: Callable[[], Awaitable[None]], counters: Counters) -> Exception | None:
    """One try. Gives what went wrong where that is the record's own fault, None where nothing did.

    Raises UnavailableError or StaleEpochError where the same try may go well later.
    """
    began = time.monotonic()
    try:
        await act()
    except (StaleEpochError, UnavailableError):
        raise
    except asyncio.CancelledError as error:
        return from_within(error)
    except Exception as error:  # whatever a handler raises parks its lane, and only its lane
        if is_away(error) or is_worth_repeating(error):
            raise UnavailableError(str(error)) from error
        return error
    counters.goes_on()
    counters.seconds.add(time.monotonic() - began)
    return None


def from_within(error: asyncio.CancelledError) -> Exception:
    """What a cancellation comes to that was of something a handler awaited. Raises it where it is meant for us."""
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return RuntimeError(f"cancelled from within: {error!r}")


def spell(error: Exception) -> str:
    """An error as a reason for people."""
    return cleaned(f"{type(error).__name__}: {error}")
