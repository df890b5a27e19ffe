"""The bus keeps its promises on real Kafka and PostgreSQL."""

from tests.unit.bus.promises import BusPromises


class TestBus(BusPromises):
    """On the real thing."""
