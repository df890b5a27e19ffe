"""The components of the stack, in the order `outrider status` lists them."""

from outrider_local.component import Component
from outrider_local.kafka import Kafka
from outrider_local.postgres import Postgres


def all_components() -> tuple[Component, ...]:
    """Every component of the stack."""
    return (Kafka(), Postgres())
