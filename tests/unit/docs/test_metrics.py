"""What deploy/observability names is what services show, and what they show is documented."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from outrider_bus.bus import Bus
from outrider_bus.kafka import KafkaAddress
from outrider_chassis.metrics import Metrics
from outrider_contracts.airflow import RunFinished
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[3]
HERE = ROOT / "deploy" / "observability"
NAME = re.compile(r"outrider_[a-z_]+")


class EmptyDatabase:
    """A pool whose one connection knows a database with nothing in it."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["EmptyDatabase"]:
        yield self

    async def fetchrow(self, _: str) -> dict[str, float]:
        return {"waiting": 0, "stuck": 0, "age": 0.0}

    async def fetch(self, _: str) -> list[Any]:
        return []


@pytest.fixture
async def shown() -> set[str]:
    """Names of a service that hears in both ways and has not started yet, and the services' own."""
    pool = cast(Any, EmptyDatabase())
    bus = Bus(service="test", kafka=KafkaAddress("127.0.0.1:9"), pool=pool)
    bus.lanes(group="a", topics=["x"], handlers={RunFinished: cast(Any, None)}, lane=lambda event: event.key())
    bus.batches(group="b", topics=["x"], types=[RunFinished], handler=cast(Any, lambda: None))
    metrics = Metrics(bus, pool)
    metrics.requests.labels("GET", "/", 200).inc()
    metrics.seconds.labels("GET", "/").observe(0.1)
    text = (await metrics.text()).decode()
    samples = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    declared = re.compile(r'metrics\.gauge\(\s*"(outrider_\w+)"')
    own = {name for file in ROOT.glob("services/*/src/**/*.py") for name in declared.findall(file.read_text())}
    return {name for name in samples if name.startswith("outrider_") and not name.endswith("_created")} | own


def test_alerts_and_dashboard_ask_for_what_is_there(shown: set[str]) -> None:
    alerts = [
        rule["expr"]
        for group in yaml.safe_load((HERE / "alerts.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]
    panels = json.loads((HERE / "dashboard.json").read_text())["panels"]
    asked = set(NAME.findall(" ".join([*alerts, *(target["expr"] for panel in panels for target in panel["targets"])])))

    assert len(alerts) >= 8
    assert asked - shown == set()


def test_every_metric_is_documented_and_nothing_else_is(shown: set[str]) -> None:
    rows = [
        line.split("|")[1] for line in (HERE / "README.md").read_text().splitlines() if line.startswith("| `outrider_")
    ]
    documented = {name for row in rows for name in NAME.findall(row)}

    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown} == documented
