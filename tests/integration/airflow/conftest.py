"""Airflow with the plugin, Kafka and the topics; without any service of ours."""

from collections.abc import Iterator

import pytest

from tests.integration.airflow.riding import Riding
from tests.integration.conftest import Start


@pytest.fixture(scope="session")
def riding(start: Start) -> Iterator[Riding]:
    """A person signed in to a running Airflow."""
    riding = Riding.on(start("topics", "airflow"))
    yield riding
    riding.user.close()
