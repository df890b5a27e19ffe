"""Airflow with the plugin, Kafka and the topics; without any service of ours."""

import pytest

from tests.integration.airflow.riding import Riding
from tests.integration.conftest import Start


@pytest.fixture(scope="session")
def riding(start: Start) -> Riding:
    """A person signed in to a running Airflow."""
    return Riding.on(start("topics", "airflow"))
