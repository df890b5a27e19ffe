"""What operator tests share: a storage service that is a small real HTTP server, and a directory for its versions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from operators.stand_in import StandIn


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[StandIn]:
    """Storage and token endpoint in one, answering what the test lays ready."""
    with StandIn(tmp_path / "store") as server:
        yield server
