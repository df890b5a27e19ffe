"""In which trace a run's facts are told."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from outrider_airflow import trace
from outrider_airflow.settings import Settings
from outrider_contracts.tracing import run_traceparent

OWN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROW = SimpleNamespace(context_carrier={"traceparent": OWN})


@pytest.fixture
def airflow_traces(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def say(on: bool) -> None:
        monkeypatch.setattr(trace, "settings", lambda: Settings(airflow_traces=on))

    return say


def test_where_airflow_traces_its_own_trace_goes_on(airflow_traces: Callable[[bool], None]) -> None:
    airflow_traces(True)

    assert trace.airflows_own(ROW) == OWN
    assert trace.traceparent(ROW, "ads/daily/r") == OWN


def test_where_airflow_does_not_trace_the_run_has_one_of_its_own(airflow_traces: Callable[[bool], None]) -> None:
    """Airflow keeps a traceparent then, too; it says that nobody wants to see it."""
    airflow_traces(False)

    assert trace.airflows_own(ROW) == ""
    assert trace.traceparent(ROW, "ads/daily/r") == run_traceparent("ads/daily/r")


def test_a_run_of_before_the_upgrade_has_no_carrier(airflow_traces: Callable[[bool], None]) -> None:
    airflow_traces(True)

    for row in (SimpleNamespace(context_carrier=None), SimpleNamespace()):
        assert trace.traceparent(row, "ads/daily/r") == run_traceparent("ads/daily/r")
