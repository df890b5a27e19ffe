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


@pytest.fixture
def swept(riding: Riding, start: Start) -> Riding:
    """Airflow with listener and sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEP_INTERVAL_SECONDS", "1")
        patch.setenv("SWEEP_GONE_GRACE_SECONDS", "1")
        patch.setenv("SWEEP_RECHECK_ENDED_SECONDS", "5")
        start("sweep", "airflow")
    return riding
