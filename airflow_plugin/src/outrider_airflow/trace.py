"""Whose trace it is: Airflow's own where Airflow traces, else the run's, which all who speak of it know."""

from typing import Any

from outrider_contracts.tracing import run_traceparent

from outrider_airflow.settings import settings


def airflows_own(row: Any) -> str:
    """The `traceparent` Airflow keeps with a run or a task instance; "" where it does not trace.

    It keeps one in any case, which then says that nobody wants to see it.
    """
    if not settings().airflow_traces:
        return ""
    return str((getattr(row, "context_carrier", None) or {}).get("traceparent", ""))


def traceparent(row: Any, record_key: str) -> str:
    """Airflow's own, else that of the run with *record_key*."""
    return airflows_own(row) or run_traceparent(record_key)
