"""The notebook in memory keeps what the ports promise."""

import pytest
from sweep.adapters.memory import MemoryNotebook

from tests.unit.sweep.keeping import KeepingSuite
from tests.unit.sweep.world import at


class TestMemoryNotebook(KeepingSuite):
    """The whole suite."""

    @pytest.fixture
    def notebook(self) -> MemoryNotebook:
        return MemoryNotebook(at(-60))
