"""What holds for every test, and the stack that end-to-end and fault tests share."""

import os
import signal
from types import FrameType

from tests.riding import collector, flown, ride

__all__ = ["collector", "flown", "ride"]

# A test says what its settings are; those of the person who runs it must not leak in.
_SETTINGS = ("TENANCY_", "STORAGE_", "LINEAGE_", "SWEEP_", "AWS_", "OTEL_")
for name in [name for name in os.environ if name.startswith(_SETTINGS)]:
    del os.environ[name]


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def pytest_configure() -> None:
    """A run that is told to end takes its stack down, as after Ctrl-C."""
    signal.signal(signal.SIGTERM, _stop)
