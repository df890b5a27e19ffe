"""Unit tests open no sockets: a test that needs a system belongs to tests/integration."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# property tests measure nothing: a busy machine must not fail them. Tests take what holds when they are imported
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_forbidden = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    # an event loop talks to itself over a socket pair, which has no address of host and port
    if _forbidden and event in ("socket.connect", "socket.bind") and isinstance(arguments[1], tuple):
        raise RuntimeError(f"a unit test must not use the network: {event}{arguments[1]}")


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Forbid connections and listening sockets while a unit test runs."""
    global _forbidden
    _forbidden = True
    yield
    _forbidden = False
