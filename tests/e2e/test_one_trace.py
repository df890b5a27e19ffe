"""A run of Airflow is one trace, from the listener to the last effect, and every service shows its numbers."""

import httpx
import pytest
from outrider_cli.demo.ride import Ride
from outrider_contracts.airflow import AirflowEvent, RunStarted, TaskFinished
from outrider_contracts.environments import EnvironmentEvent, EnvironmentSealed, VersionCleared
from outrider_contracts.tracing import run_traceparent
from outrider_local import service_settings
from outrider_local.waiting import wait_until
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.support import secrets
from tests.otlp import Collector, Seen
from tests.riding import Flown

SERVICES = ("tenancy", "storage", "lineage", "sweep")
CHAIN = {
    ("outrider-storage", f"process {RunStarted.type}"),
    ("outrider-storage", "POST /v1/environments/ensure"),
    ("outrider-storage", "POST /v1/environments/seal"),
    ("outrider-storage", f"create {EnvironmentSealed.type}"),
    ("outrider-storage", f"send {EnvironmentSealed.topic}"),
    ("outrider-storage", "remove version"),
    ("outrider-storage", f"create {VersionCleared.type}"),
    ("outrider-lineage", f"process {TaskFinished.type}"),
    ("outrider-lineage", f"process {EnvironmentSealed.type}"),
    ("outrider-lineage", f"process {VersionCleared.type}"),
    ("outrider-lineage", "create outrider.lineage.v1"),
    ("outrider-lineage", "send outrider.lineage.v1"),
    ("outrider-sweep", f"process {TaskFinished.type}"),
}
"""Who did what in the trace, at least."""


def test_a_run_is_one_trace_from_the_listener_to_the_last_effect(
    ride: Ride, flown: Flown, collector: Collector
) -> None:
    own = run_traceparent(f"ops/flights/{flown.flights}")
    trace = own[3:35]

    def spans() -> list[Seen]:
        return [span for span in collector.spans() if span.trace == trace]

    def missing() -> set[tuple[str, str]]:
        return CHAIN - {(span.service, span.name) for span in spans()}

    def orphans() -> list[str]:
        seen = spans()
        known = {span.id for span in seen} | {own[36:52]}
        return [f"{span.service} {span.name}" for span in seen if span.parent not in known]

    assert wait_until(lambda: not missing(), seconds=120, every=1), missing()
    assert wait_until(lambda: not orphans(), seconds=30, every=1), orphans()  # each service sends its spans by itself
    assert {span.attributes.get("outrider.team", "ops") for span in spans()} == {"ops"}


def test_every_fact_of_a_run_travels_in_its_trace(ride: Ride, flown: Flown) -> None:
    for team, dag_id, run_id in (("ops", "flights", flown.flights), ("newsroom", "punctuality", flown.punctuality)):
        key = f"{team}/{dag_id}/{run_id}"
        records = [
            r for topic in (AirflowEvent.topic, EnvironmentEvent.topic) for r in ride.said(topic) if r.key == key
        ]

        assert len(records) > 5
        assert {record.headers["traceparent"][3:35] for record in records} == {run_traceparent(key)[3:35]}


@pytest.mark.usefixtures("flown")
def test_no_secret_is_in_a_span(ride: Ride, collector: Collector) -> None:
    sent = b"".join(list(collector.bodies))

    assert [name for name, secret in secrets(ride).items() if secret in sent] == []


@pytest.mark.usefixtures("flown")
@pytest.mark.parametrize("service", SERVICES)
def test_every_service_shows_its_numbers_to_anybody(ride: Ride, service: str) -> None:
    def shown() -> dict[str, list[float]]:
        answer = httpx.get(f"{service_settings.url(ride.stack, service)}/metrics", timeout=10, trust_env=False)
        families = text_string_to_metric_families(answer.raise_for_status().text)
        return {family.name: [sample.value for sample in family.samples] for family in families}

    def all_done() -> bool:
        now = shown()
        return set(now["outrider_bus_lag_records"]) == {0} and now["outrider_bus_outbox_records"] == [0]

    assert wait_until(all_done, seconds=60, every=1), shown()
    now = shown()
    assert set(now["outrider_bus_assigned"]) == {1}
    assert set(now["outrider_bus_dead_letters"]) == {0}
    assert set(now["outrider_bus_broken"]) == {0}
    assert set(now["outrider_bus_parked_keys"]) == {0}
    assert now["outrider_bus_database_answers"] == [1]
    assert sum(now["outrider_bus_partitions"]) >= 1
    assert max(now["outrider_bus_watermark_age_seconds"]) < 30
    assert sum(now["outrider_http_requests"]) > 0
    if service == "sweep":
        assert 0 <= now["outrider_sweep_runs_behind_seconds"][0] < 300
